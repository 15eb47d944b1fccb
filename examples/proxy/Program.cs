using System.Net;
using System.Text;
using Turbo.Net;
using Turbo.Net.Upstream;

// A reverse proxy to one origin, byte for byte: `proxy http://localhost:3000/prefix 8080`. What it sends on has the
// origin's Host and no hop-by-hop field (RFC 9110 §7.6.1); a WebSocket is passed through.

if (args is not [var url, ..] || !Uri.TryCreate(url, UriKind.Absolute, out Uri? origin) || origin.Scheme is not ("http" or "https"))
{
    Console.Error.WriteLine("usage: proxy http[s]://HOST[:PORT][/PREFIX] [PORT]");
    return 2;
}
ushort port = 8080;
if (args is [_, var given] && !ushort.TryParse(given, out port))
{
    Console.Error.WriteLine($"'{given}' is not a port");
    return 2;
}

await using UpstreamPool pool = new(new() { Host = origin.IdnHost, Port = origin.Port, IsTls = origin.Scheme == "https" });
Relay relay = new(pool);
RelayRules rules = new()
{
    Host = Encoding.ASCII.GetBytes(origin.IsDefaultPort ? HostOf(origin) : $"{HostOf(origin)}:{origin.Port}"),
    PathPrefix = Encoding.ASCII.GetBytes(origin.AbsolutePath.TrimEnd('/')),
    KeepsCookie = true,
};

await using TurboServer server = new(new() { EndPoints = [new(IPAddress.Loopback, port)] }, async exchange =>
{
    exchange.Body.MaxBytes = long.MaxValue;
    RelayResult result = await relay.RunAsync(exchange, rules, observer: null);
    (int status, string message) = result switch
    {
        RelayResult.Unreachable => (502, "the origin cannot be reached"),
        RelayResult.MalformedResponse => (502, "the origin's answer is malformed"),
        RelayResult.Timeout => (504, "the origin did not answer in time"),
        RelayResult.Overloaded => (503, "too many requests"),
        _ => (0, ""),
    };
    if (status != 0) exchange.Response.Send(status, "text/plain"u8, Encoding.UTF8.GetBytes(message + "\n"));
});
// As it goes on the wire: an internationalised name in its ASCII form, an IPv6 address in brackets.
static string HostOf(Uri uri) => uri.HostNameType == UriHostNameType.IPv6 ? $"[{uri.IdnHost}]" : uri.IdnHost;

return await server.RunAsync(() => Console.WriteLine($"listening on {server.EndPoints[0]}, relaying to {origin}"));
