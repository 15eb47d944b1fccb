using Turbo.Net;
using Turbo.Net.Transport;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net;

/// <summary>
/// The connection's loop over memory and manual time: nothing here waits, since the server has always done all it can
/// when a call returns.
/// </summary>
internal abstract class MemoryFixture
{
    protected const string Get = "GET /plaintext HTTP/1.1\r\nHost: h\r\n\r\n";

    protected static readonly ServerLimits s_limits = new()
    {
        HeaderTimeout = TimeSpan.FromSeconds(10),
        BodyTimeout = TimeSpan.FromSeconds(30),
        KeepAliveTimeout = TimeSpan.FromSeconds(75),
        WriteTimeout = TimeSpan.FromSeconds(60),
        LingerTimeout = TimeSpan.FromSeconds(2),
    };

    protected readonly ManualTimeProvider _time = new();
    protected NetServer _server = null!;

    [TearDown]
    public async Task Stop()
    {
        // A handler that a test left waiting would wait for ever.
        Task stop = _server.DisposeAsync().AsTask();
        Advance(10);
        await Until.DoneAsync(stop);
    }

    protected MemoryClient Connect(RequestHandler? handler = null, ServerLimits? limits = null, Func<TurboServerOptions, TurboServerOptions>? with = null)
    {
        _server = new NetServer(handler, limits ?? s_limits, _time, listens: false, with);
        return _server.ConnectInMemory();
    }

    protected void Advance(double seconds) => Inline.Run(() => _time.Advance(TimeSpan.FromSeconds(seconds)));

    protected static EndReason Ended(MemoryClient client)
    {
        client.Fin();
        Assert.That(client.HasEnded, "not ended");
        Assert.That(client.Serving.IsCompletedSuccessfully, $"{client.Serving.Exception}");
        return client.Transport.EndReason;
    }

    protected static string Status(string wire) => wire.Length == 0 ? "" : wire[9..12];
}
