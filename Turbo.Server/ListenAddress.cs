using System.Net;
using System.Net.Sockets;

namespace Turbo.Server;

/// <summary>One address to listen on: <c>:8080</c> (every interface, IPv4 and IPv6), <c>host:port</c> or <c>[ipv6]:port</c>.</summary>
internal sealed record ListenAddress
{
    /// <summary>A name or an address without brackets; empty for every interface.</summary>
    public required string Host { get; init; }

    /// <summary>0 to 65535; 0 lets the system choose.</summary>
    public required int Port { get; init; }

    public static bool TryParse(string text, out ListenAddress address)
    {
        address = null!;
        if (!UrlParts.TrySplitHostPort(text, out ReadOnlySpan<char> host, out int? port) || port is not int number) return false;
        address = new ListenAddress { Host = host.ToString(), Port = number };
        return true;
    }

    /// <summary>
    /// The endpoints to bind: one, or for a name each of its addresses. Every interface is the IPv6 wildcard, which a
    /// dual-stack socket also answers IPv4 on, or the IPv4 one on a machine without IPv6.
    /// </summary>
    /// <exception cref="SocketException">The name does not resolve.</exception>
    public async Task<IPEndPoint[]> ResolveAsync(CancellationToken cancellation)
    {
        if (Host.Length == 0) return [new IPEndPoint(Socket.OSSupportsIPv6 ? IPAddress.IPv6Any : IPAddress.Any, Port)];
        if (IPAddress.TryParse(Host, out IPAddress? literal)) return [new IPEndPoint(literal, Port)];
        IPAddress[] found = await Dns.GetHostAddressesAsync(Host, cancellation).ConfigureAwait(false);
        var endpoints = new List<IPEndPoint>(found.Length);
        foreach (IPAddress one in found)
        {
            bool usable = one.AddressFamily == AddressFamily.InterNetwork || Socket.OSSupportsIPv6;
            var endpoint = new IPEndPoint(one, Port);
            if (usable && !endpoints.Contains(endpoint)) endpoints.Add(endpoint);
        }
        return endpoints.Count > 0 ? [.. endpoints] : throw new SocketException((int)SocketError.HostNotFound);
    }

    public override string ToString() => Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]:{Port}" : $"{Host}:{Port}";
}
