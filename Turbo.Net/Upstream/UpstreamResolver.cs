using System.Net;
using System.Net.Sockets;

namespace Turbo.Net.Upstream;

/// <summary>
/// The origin's addresses. A name is resolved off the sockets' threads; once known, an old answer serves while a new one
/// is fetched, so that no request waits for DNS but the first.
/// </summary>
internal sealed class UpstreamResolver(UpstreamOptions options)
{
    private sealed record Answer(IPAddress[] Addresses, long At);

    private readonly TimeProvider _time = options.TimeProvider;
    private readonly bool _isLiteral = IPAddress.TryParse(options.Host, out _);
    private Answer? _answer = IPAddress.TryParse(options.Host, out IPAddress? literal) ? new Answer([literal], 0) : null;
    private int _isRefreshing;

    public ValueTask<IPAddress[]> ResolveAsync(CancellationToken cancellation)
    {
        if (_isLiteral) return new ValueTask<IPAddress[]>(_answer!.Addresses);
        if (Volatile.Read(ref _answer) is not { } answer) return new ValueTask<IPAddress[]>(FetchAsync(cancellation));
        RefreshIfOld();
        return new ValueTask<IPAddress[]>(answer.Addresses);
    }

    /// <summary>Asks again where the answer is old; called by the pool's tick too, so that connections follow the name while they are reused.</summary>
    public void RefreshIfOld()
    {
        if (_isLiteral || Volatile.Read(ref _answer) is not { } answer) return;
        if (_time.GetElapsedTime(answer.At) > options.DnsRefresh && Interlocked.Exchange(ref _isRefreshing, 1) == 0) _ = RefreshAsync();
    }

    /// <summary>Whether the name still leads to that address; true while nothing is known.</summary>
    public bool IsCurrent(IPAddress? address)
    {
        if (_isLiteral || address is null || Volatile.Read(ref _answer) is not { } answer) return true;
        foreach (IPAddress known in answer.Addresses)
        {
            if (known.Equals(address) || known.MapToIPv6().Equals(address)) return true;
        }
        return false;
    }

    private async Task<IPAddress[]> FetchAsync(CancellationToken cancellation)
    {
        IPAddress[] addresses = await options.Resolve(options.Host, cancellation).ConfigureAwait(false);
        if (addresses.Length == 0) throw new SocketException((int)SocketError.HostNotFound);
        Volatile.Write(ref _answer, new Answer(addresses, _time.GetTimestamp()));
        return addresses;
    }

    private async Task RefreshAsync()
    {
        try
        {
            await FetchAsync(CancellationToken.None).ConfigureAwait(false);
        }
        catch (SocketException)
        {
            // The resolver is away: the last answer stands, and the next use asks again after the same time.
            Volatile.Write(ref _answer, _answer! with { At = _time.GetTimestamp() });
        }
        finally
        {
            Volatile.Write(ref _isRefreshing, 0);
        }
    }
}
