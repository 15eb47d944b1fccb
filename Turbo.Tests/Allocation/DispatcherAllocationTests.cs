using System.IO.Pipelines;
using System.Text;
using Turbo.Net;
using Turbo.Net.Transport;
using Turbo.Server;
using Turbo.Server.Api;
using Turbo.Server.Logging;
using Turbo.Tests.Support;

namespace Turbo.Tests.Allocation;

/// <summary>
/// A request whose handler completes at once passes routing, CORS, authentication, log and event row without an
/// allocation on its thread: none beyond those of the exchange below it, which has a test of its own.
/// </summary>
[TestFixture, NonParallelizable]
internal sealed class DispatcherAllocationTests
{
    // As many rows as a warm application has spare; they come back once they are stored.
    private const int Requests = 200;

    [TestCase("GET /public HTTP/1.1\r\nHost: turbo.example\r\n\r\n", "HTTP/1.1 200 OK")]
    [TestCase("GET /public?a=b&token=c HTTP/1.1\r\nHost: turbo.example\r\nOrigin: https://app.example\r\nUser-Agent: x\r\n\r\n", "HTTP/1.1 200 OK")]
    [TestCase("GET /private HTTP/1.1\r\nHost: turbo.example\r\nAuthorization: Bearer {T}\r\n\r\n", "HTTP/1.1 200 OK")]
    [TestCase("GET /private HTTP/1.1\r\nHost: turbo.example\r\nCookie: a=b; sess={T}\r\n\r\n", "HTTP/1.1 200 OK")]
    [TestCase("GET /stream?token={Q} HTTP/1.1\r\nHost: turbo.example\r\n\r\n", "HTTP/1.1 200 OK")]
    [TestCase("GET /private HTTP/1.1\r\nHost: turbo.example\r\n\r\n", "HTTP/1.1 401 Unauthorized")]
    [TestCase("GET /nowhere HTTP/1.1\r\nHost: turbo.example\r\n\r\n", "HTTP/1.1 404 Not Found")]
    [TestCase("DELETE /public HTTP/1.1\r\nHost: turbo.example\r\n\r\n", "HTTP/1.1 405 Method Not Allowed")]
    [TestCase("OPTIONS /private HTTP/1.1\r\nHost: turbo.example\r\nOrigin: https://app.example\r\nAccess-Control-Request-Method: POST\r\n\r\n", "HTTP/1.1 204 No Content")]
    public async Task A_request_that_completes_at_once_allocates_no_more_than_a_bare_exchange(string request, string status)
    {
        await using TestApp app = await TestApp.StartAsync(static options => options with { TrustedProxies = [System.Net.IPNetwork.Parse("10.0.0.0/8")] });
        (string token, _) = await app.SignUpAsync("alice");
        byte[] wire = Encoding.ASCII.GetBytes(request.Replace("{T}", token).Replace("{Q}", Uri.EscapeDataString(token)));

        RouteTable<Route> routes = new();
        routes.Get("/public"u8, new Route(Access.Public, static (_, context) => Answer(context)));
        routes.Get("/private"u8, new Route(Access.Session, static (_, context) => Answer(context)));
        routes.Get("/stream"u8, new Route(Access.Session, static (_, context) => Answer(context)) { TakesTokenParameter = true });
        using LogWriter lines = new(Stream.Null, LogFormat.Text, TimeProvider.System);
        Dispatcher dispatcher = new(app.App, routes, new Cors(["*"]), new RequestLog(lines, LogLevel.Info));
        Cors cors = new(["*"]);
        await using TurboServer server = new(new TurboServerOptions { EndPoints = [], WriteCommonFields = cors.Write, WriteError = dispatcher.WriteError }, dispatcher.HandleAsync);
        await using TurboServer bare = new(new TurboServerOptions { EndPoints = [] }, static exchange =>
        {
            exchange.Response.Send(200, "application/json"u8, "{}"u8);
            return default;
        });
        // From here on the session is in memory.
        await app.GetAsync("/user/session", token);
        MemoryTransport transport = new(), bareTransport = new();
        Task serving = server.ServeAsync(transport), bareServing = bare.ServeAsync(bareTransport);
        Assert.That(Exchange(transport, wire), Does.StartWith(status + "\r\n"));
        // What one request allocates shows in each round; what a pool had to get anew after a collection, or on a
        // thread new to it, in one of them.
        long least = long.MaxValue, leastBare = long.MaxValue;
        for (int round = 0; round < 5; round++)
        {
            // The rows of this round are the spare ones of the next.
            await app.App.Events.FlushAsync();
            // The session is looked up again where it went stale meanwhile.
            await app.GetAsync("/user/session", token);
            least = Math.Min(least, Measure(transport, wire));
            leastBare = Math.Min(leastBare, Measure(bareTransport, wire));
        }
        Assert.That(least, Is.EqualTo(leastBare), $"bytes in {Requests} requests");
        transport.PeerOutput.Complete();
        bareTransport.PeerOutput.Complete();
        await Task.WhenAll(serving, bareServing).WaitAsync(TimeSpan.FromSeconds(10));
    }

    private static long Measure(MemoryTransport transport, byte[] wire)
    {
        for (int i = 0; i < 10; i++) Send(transport, wire);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < Requests; i++) Send(transport, wire);
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    private static ValueTask Answer(RequestContext context)
    {
        System.Buffers.BuffersExtensions.Write(context.Content, "{}"u8);
        context.Send();
        return default;
    }

    private static string Exchange(MemoryTransport transport, byte[] wire)
    {
        Write(transport, wire);
        Assert.That(transport.PeerInput.TryRead(out ReadResult result));
        string answer = Encoding.UTF8.GetString(result.Buffer);
        transport.PeerInput.AdvanceTo(result.Buffer.End);
        return answer;
    }

    private static void Send(MemoryTransport transport, byte[] wire)
    {
        Write(transport, wire);
        if (!transport.PeerInput.TryRead(out ReadResult result)) throw new InvalidOperationException("not answered at once");
        transport.PeerInput.AdvanceTo(result.Buffer.End);
    }

    // The pipes run inline: when the flush returns, the request was answered.
    private static void Write(MemoryTransport transport, byte[] wire)
    {
        wire.CopyTo(transport.PeerOutput.GetSpan(wire.Length));
        transport.PeerOutput.Advance(wire.Length);
        transport.PeerOutput.FlushAsync().GetAwaiter().GetResult();
    }
}
