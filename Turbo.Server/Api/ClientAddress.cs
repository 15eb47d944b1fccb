using System.Net;
using System.Text;
using Turbo.Net;

namespace Turbo.Server.Api;

/// <summary>
/// Who sent a request (contract section 2): the socket's peer, or what X-Forwarded-For says where that peer, and each
/// one before it, is a trusted proxy.
/// </summary>
internal sealed class ClientAddress
{
    private readonly byte[] _text = new byte[64];
    private int _length;
    private IPEndPoint? _peer;
    private IPAddress _peerAddress = IPAddress.None;
    private bool _isPeers;

    /// <summary>An IPv4 address as such, also where the socket is dual-stack; None on a transport without addresses.</summary>
    public IPAddress Address { get; private set; } = IPAddress.None;

    /// <summary>The address as text; empty where there is none.</summary>
    public ReadOnlySpan<byte> Text => _text.AsSpan(0, _length);

    /// <summary>Reads the exchange's. Allocates once a connection, and for a proxied request.</summary>
    public void Set(Exchange exchange, AppOptions options)
    {
        IPEndPoint? peer = exchange.RemoteEndPoint;
        if (!ReferenceEquals(peer, _peer))
        {
            _peer = peer;
            _peerAddress = peer is null ? IPAddress.None : Plain(peer.Address);
            _isPeers = false;
        }
        if (peer is not null && exchange.Fields.Has(KnownField.XForwardedFor) && options.IsTrustedProxy(_peerAddress))
        {
            Take(Forwarded(exchange.Fields, _peerAddress, options));
            _isPeers = false;
        }
        else if (!_isPeers)
        {
            Take(_peerAddress);
            _isPeers = true;
        }
    }

    // Each proxy appends the address it was called from: from the end, the first that is not a proxy of ours is the
    // client. What stands before that, the client may have made up.
    private static IPAddress Forwarded(HeaderFields fields, IPAddress peer, AppOptions options)
    {
        IPAddress client = peer;
        for (int i = fields.Count - 1; i >= 0; i--)
        {
            if (fields[i].Known != KnownField.XForwardedFor) continue;
            ReadOnlySpan<byte> rest = fields[i].Value;
            while (!rest.IsEmpty)
            {
                int comma = rest.LastIndexOf((byte)',');
                ReadOnlySpan<byte> element = rest[(comma + 1)..].Trim(" \t"u8);
                rest = comma < 0 ? default : rest[..comma];
                if (element.IsEmpty) continue;
                if (!TryParse(element, out IPAddress? address)) return client;
                client = address;
                if (!options.IsTrustedProxy(address)) return client;
            }
        }
        return client;
    }

    private static bool TryParse(ReadOnlySpan<byte> element, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out IPAddress? address)
    {
        address = null;
        // The longest is [IPv6%zone]:port; more is no address.
        if (element.Length > 64 || !Ascii.IsValid(element)) return false;
        Span<char> chars = stackalloc char[64];
        chars = chars[..Encoding.ASCII.GetChars(element, chars)];
        // Some proxies add the port: 192.0.2.1:80, [2001:db8::1]:80.
        if (!IPAddress.TryParse(chars, out address))
        {
            if (!IPEndPoint.TryParse(chars, out IPEndPoint? endPoint)) return false;
            address = endPoint.Address;
        }
        address = Plain(address);
        return true;
    }

    private static IPAddress Plain(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;

    private void Take(IPAddress address)
    {
        Address = address;
        _length = 0;
        if (!ReferenceEquals(address, IPAddress.None)) address.TryFormat(_text, out _length);
    }
}
