using System.Runtime.CompilerServices;
using Turbo.Net.Http1;

namespace Turbo.Net;

/// <summary>Content that goes on without being read: see <see cref="Transport.ISplicing"/>.</summary>
public sealed partial class BodyReader
{
    /// <summary>Bytes still to come, of which none was received yet; 0 where they must be read.</summary>
    internal long SpliceableBytes => _kind == BodyKind.Length && Reject == RejectReason.None && !_continuePending && _exchange.Connection.Rest.IsEmpty ? _left : 0;

    /// <summary>Waits as <see cref="ReadAsync"/> does, but leaves with the system what has come; None when there is some.</summary>
    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder<>))]
    internal async ValueTask<RejectReason> WaitAsync()
    {
        RejectReason ended = await _exchange.Connection.FillBodyAsync(waitsOnly: true).ConfigureAwait(false);
        if (ended != RejectReason.None) Reject = ended;
        return ended;
    }

    /// <summary>That many bytes of content were taken from the connection elsewhere.</summary>
    internal void Spliced(long bytes)
    {
        _exchange.Connection.CountBody(bytes);
        BytesRead += bytes;
        _left -= bytes;
        _isDone = _left == 0;
    }
}
