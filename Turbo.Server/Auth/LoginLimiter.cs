using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;

namespace Turbo.Server.Auth;

/// <summary>
/// Counts failed logins per username and per client address (IPv6: per /64) over the last minute, in steps of five
/// seconds: never more than the limit within any minute. Memory is fixed: a table of sets; where a set is full, the
/// key with the fewest recent failures makes room.
/// </summary>
internal sealed class LoginLimiter
{
    private const int Ways = 8;
    private const int Stripes = 64;
    private const long StepMilliseconds = 5_000;

    /// <summary>The present step and the twelve before it.</summary>
    private const int Steps = 13;

    private readonly int _limit;
    private readonly TimeProvider _time;
    private readonly long _origin;

    // Made by the first login: with it comes OpenSSL, which a start need not wait for.
    private readonly Lazy<byte[]> _secret = new(static () => RandomNumberGenerator.GetBytes(32));
    private readonly Slot[] _slots;
    private readonly Lock[] _locks;

    /// <param name="limit">LOGIN_ATTEMPTS: failures a minute after which logins are refused. Default 10.</param>
    /// <param name="time">The clock.</param>
    /// <param name="sets">Sets of eight keys, a power of two. Default 4096 (2 MiB).</param>
    public LoginLimiter(int limit, TimeProvider time, int sets = 4096)
    {
        _limit = limit;
        _time = time;
        _origin = time.GetTimestamp();
        _slots = new Slot[sets * Ways];
        _locks = new Lock[Stripes];
        for (int i = 0; i < Stripes; i++)
            _locks[i] = new Lock();
    }

    /// <summary>
    /// Whether to refuse, and for how long. Ask before the password is looked at and again after: of many attempts at
    /// once, those beyond the limit then learn nothing, right or wrong.
    /// </summary>
    public bool IsBlocked(string username, IPAddress client, out TimeSpan retryAfter)
    {
        TimeSpan byName = Wait(KeyOf(username)), byAddress = Wait(KeyOf(client));
        retryAfter = byName > byAddress ? byName : byAddress;
        return retryAfter > TimeSpan.Zero;
    }

    public void Failed(string username, IPAddress client)
    {
        Count(KeyOf(username));
        Count(KeyOf(client));
    }

    private long Now => (long)_time.GetElapsedTime(_origin).TotalMilliseconds;

    private TimeSpan Wait(ulong key)
    {
        long now = Now, step = now / StepMilliseconds;
        lock (LockOf(key))
        {
            foreach (ref Slot slot in SetOf(key))
            {
                if (slot.Key != key)
                    continue;
                long sum = slot.Sum(step);
                if (sum < _limit)
                    return TimeSpan.Zero;
                // The oldest steps leave first; wait for as many as bring the sum under the limit.
                for (long past = step - Steps + 1; past <= step; past++)
                {
                    sum -= slot.At(past);
                    if (sum < _limit)
                        return TimeSpan.FromMilliseconds((past + Steps) * StepMilliseconds - now);
                }
            }
        }
        return TimeSpan.Zero;
    }

    private void Count(ulong key)
    {
        long step = Now / StepMilliseconds;
        lock (LockOf(key))
        {
            Span<Slot> set = SetOf(key);
            ref Slot chosen = ref set[0];
            foreach (ref Slot slot in set)
            {
                if (slot.Key == key)
                {
                    slot.Add(step);
                    return;
                }
                if (slot.Sum(step) < chosen.Sum(step))
                    chosen = ref slot;
            }
            chosen = new Slot { Key = key };
            chosen.Add(step);
        }
    }

    private Span<Slot> SetOf(ulong key) => _slots.AsSpan((int)(key % (ulong)(_slots.Length / Ways)) * Ways, Ways);

    private Lock LockOf(ulong key) => _locks[(int)(key % (ulong)(_slots.Length / Ways)) % Stripes];

    private ulong KeyOf(string username) => KeyOf((byte)'u', Encoding.UTF8.GetBytes(username));

    private ulong KeyOf(IPAddress client)
    {
        Span<byte> address = stackalloc byte[16];
        IPAddress plain = client.IsIPv4MappedToIPv6 ? client.MapToIPv4() : client;
        plain.TryWriteBytes(address, out int length);
        // Who has one address of a /64 usually has all of them.
        return KeyOf((byte)'a', address[..(plain.AddressFamily == AddressFamily.InterNetworkV6 ? 8 : length)]);
    }

    /// <summary>Keyed, so that nobody can choose a username that evicts another's count; never 0, the empty slot.</summary>
    private ulong KeyOf(byte kind, ReadOnlySpan<byte> value)
    {
        using var hash = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, _secret.Value);
        hash.AppendData([kind]);
        hash.AppendData(value);
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        hash.GetHashAndReset(digest);
        ulong key = BinaryPrimitives.ReadUInt64LittleEndian(digest);
        return key == 0 ? 1 : key;
    }

    [InlineArray(Steps)]
    private struct Counts
    {
        private int _first;
    }

    private struct Slot
    {
        public ulong Key;
        private long _latest;
        private Counts _counts;

        /// <summary>Failures in a step of the window that ends with the latest one counted.</summary>
        public readonly int At(long step) => step < 0 || step > _latest || step <= _latest - Steps ? 0 : _counts[(int)(step % Steps)];

        public readonly long Sum(long step)
        {
            long sum = 0;
            for (long past = step - Steps + 1; past <= step; past++)
                sum += At(past);
            return sum;
        }

        public void Add(long step)
        {
            for (long skipped = Math.Max(_latest + 1, step - Steps + 1); skipped <= step; skipped++)
                _counts[(int)(skipped % Steps)] = 0;
            _latest = Math.Max(_latest, step);
            _counts[(int)(step % Steps)]++;
        }
    }
}
