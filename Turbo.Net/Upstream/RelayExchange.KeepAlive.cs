using System.Buffers;
using System.Runtime.CompilerServices;
using System.Text;
using Turbo.Net.Http1;

namespace Turbo.Net.Upstream;

/// <summary>Comment lines on a silent event stream (WHATWG HTML §9.2.6), only ever between two events.</summary>
internal sealed partial class RelayExchange
{
    private TimeSpan _keepAlive;
    private uint _tail;

    private void BeginKeepAlive(ResponseHead head, BodyKind kind)
    {
        _keepAlive = TimeSpan.Zero;
        _tail = 0;
        if (_rules.EventStreamKeepAlive is not { } interval || kind is not (BodyKind.Chunked or BodyKind.UntilClose)) return;
        if (!head.Fields.TryGet(KnownField.ContentType, out ReadOnlySpan<byte> type) || head.Fields.Has(KnownField.ContentEncoding)) return;
        ReadOnlySpan<byte> name = "text/event-stream"u8;
        if (type.Length >= name.Length && Ascii.EqualsIgnoreCase(type[..name.Length], name)) _keepAlive = interval;
    }

    /// <summary>Remembers how the stream ended so far.</summary>
    private void NoteTail(in ReadOnlySequence<byte> piece)
    {
        foreach (ReadOnlyMemory<byte> part in piece.Slice(Math.Max(0, piece.Length - 4)))
        {
            foreach (byte b in part.Span) _tail = _tail << 8 | b;
        }
    }

    private bool IsBetweenEvents => _tail == 0 || (_tail & 0xFFFF) == 0x0A0A || (_tail & 0xFFFF) == 0x0D0D || _tail == 0x0D0A0D0A;

    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder<>))]
    private async ValueTask<UpstreamRead> ReadKeptAliveAsync(UpstreamConnection upstream)
    {
        TimeSpan silent = TimeSpan.Zero;
        while (true)
        {
            TimeSpan wait = _options.IdleTimeout - silent < _keepAlive ? _options.IdleTimeout - silent : _keepAlive;
            UpstreamRead read = await upstream.ReadAsync(wait).ConfigureAwait(false);
            if (read != UpstreamRead.Timeout) return read;
            silent += wait;
            if (silent >= _options.IdleTimeout) return UpstreamRead.Timeout;
            if (!IsBetweenEvents) continue;
            _exchange.Response.Write(": keep-alive\n\n"u8);
            if (await _exchange.Response.FlushAsync().ConfigureAwait(false)) continue;
            _isClientGone = true;
            return UpstreamRead.Reset;
        }
    }
}
