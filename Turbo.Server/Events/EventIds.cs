using System.Buffers.Binary;

namespace Turbo.Server.Events;

/// <summary>
/// Ids for event rows: version-7 UUIDs (RFC 9562 §5.7), each greater than the one before, so that a batch is added at the
/// end of its index. 48 bits of milliseconds, 12 of a millisecond's fraction (§6.2, method 3), 62 random ones from a
/// cryptographic generator that is asked for many at once. One thread at a time.
/// </summary>
internal sealed class EventIds
{
    private const int RandomBytes = 4096;

    private readonly byte[] _random = new byte[RandomBytes];
    private int _used = RandomBytes;
    private long _last;

    public Guid Next(DateTime utc)
    {
        (long millis, long ticks) = Math.DivRem(utc.Ticks - DateTime.UnixEpoch.Ticks, TimeSpan.TicksPerMillisecond);
        // A clock that stands or goes back: the last id's time, counted up.
        _last = Math.Max(millis << 12 | (ticks << 12) / TimeSpan.TicksPerMillisecond, _last + 1);
        if (_used == RandomBytes)
        {
            SystemRandom.Fill(_random);
            _used = 0;
        }
        ulong random = BinaryPrimitives.ReadUInt64LittleEndian(_random.AsSpan(_used));
        _used += sizeof(ulong);

        Span<byte> id = stackalloc byte[16];
        BinaryPrimitives.WriteUInt64BigEndian(id, (ulong)(_last >> 12) << 16 | 0x7000 | (ulong)_last & 0xfff);
        BinaryPrimitives.WriteUInt64BigEndian(id[8..], random >> 2 | 0x8000_0000_0000_0000);
        return new Guid(id, bigEndian: true);
    }
}
