using Turbo.Net;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net.Http1;

/// <summary>What a handler sets for its own flow is not seen by another request's.</summary>
[TestFixture]
internal sealed class HandlerContextTests
{
    private static readonly AsyncLocal<string?> s_user = new();

    [Test]
    public async Task An_async_local_does_not_outlive_its_request([Values(false, true)] bool isAsync, [Values(false, true)] bool isPipelined)
    {
        ValueTask Handle(Exchange exchange)
        {
            string seen = s_user.Value ?? "nobody";
            if (!exchange.Query.IsEmpty) s_user.Value = "ann";
            exchange.Response.Send(200, "text/plain"u8, System.Text.Encoding.ASCII.GetBytes(seen));
            return default;
        }
        async ValueTask HandleAsync(Exchange exchange)
        {
            if (!exchange.Query.IsEmpty) s_user.Value = "ann";
            await Task.Yield();
            await Handle(exchange);
        }
        await using NetServer server = new(isAsync ? HandleAsync : Handle);
        using RawClient client = server.Connect();
        using RawClient other = server.Connect();
        const string login = "GET /?login HTTP/1.1\r\nHost: h\r\n\r\n", get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
        string own = isAsync ? "ann" : "nobody";
        if (isPipelined)
        {
            client.Send(login + get + get);
            Assert.That(new[] { client.Read().Text, client.Read().Text, client.Read().Text }, Is.EqualTo(new[] { own, "nobody", "nobody" }));
        }
        else
        {
            Assert.That(client.Exchange(login).Text, Is.EqualTo(own));
        }
        for (int i = 0; i < 3; i++)
        {
            Assert.That(client.Exchange(get).Text, Is.EqualTo("nobody"));
            Assert.That(other.Exchange(get).Text, Is.EqualTo("nobody"));
        }
        using RawClient later = server.Connect();
        Assert.That(later.Exchange(get).Text, Is.EqualTo("nobody"));
    }
}
