using System.Collections.Concurrent;
using System.Net;
using Turbo.Net;
using Turbo.Net.Buffers;
using Turbo.Net.Diagnostics;
using Turbo.Net.Transport;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net;

/// <summary>
/// A <see cref="TurboServer"/> on a free loopback port with a few plain routes, and over memory with every byte and every
/// tick of time in the test's hand. Its end asserts that the server met no bug of its own.
/// </summary>
internal sealed class NetServer : IAsyncDisposable
{
    public sealed class Recorder : IServerLog
    {
        public readonly ConcurrentQueue<RejectReason> Rejected = [];
        public readonly ConcurrentQueue<EndReason> Ended = [];
        public readonly ConcurrentQueue<Exception> HandlerFaults = [];
        public readonly ConcurrentQueue<Exception> Bugs = [];
        public readonly ConcurrentQueue<Exception> AcceptFaults = [];

        public void RequestRejected(IPEndPoint? client, RejectReason reason) => Rejected.Enqueue(reason);

        public void ConnectionEnded(IPEndPoint? client, EndReason reason) => Ended.Enqueue(reason);

        public void HandlerFailed(Exchange exchange, Exception error) => HandlerFaults.Enqueue(error);

        public void ConnectionFailed(IPEndPoint? client, Exception error) => Bugs.Enqueue(error);

        public readonly ConcurrentQueue<EndReason> Handshakes = [];

        public void HandshakeFailed(IPEndPoint? client, EndReason reason, Exception? error) => Handshakes.Enqueue(reason);

        public void AcceptFailed(Exception error) => AcceptFaults.Enqueue(error);
    }

    public NetServer(RequestHandler? handler = null, ServerLimits? limits = null, TimeProvider? time = null, bool listens = true, Func<TurboServerOptions, TurboServerOptions>? with = null, bool isTls = false)
    {
        IsTls = isTls;
        TurboServerOptions options = new()
        {
            EndPoints = listens && !isTls ? [new(IPAddress.Loopback, 0)] : [],
            TlsEndPoints = listens && isTls ? [new(IPAddress.Loopback, 0)] : [],
            Tls = isTls ? new TlsOptions { SelectCertificate = static _ => TestCertificates.SharedServer } : null,
            Limits = limits ?? new(),
            Log = Log,
            TimeProvider = time ?? TimeProvider.System,
        };
        Server = new TurboServer(with?.Invoke(options) ?? options, handler ?? Plain().HandleAsync);
        _blocks = PinnedBlockPool.Shared.Outstanding;
        Server.Start();
    }

    private readonly int _blocks;

    public TurboServer Server { get; }

    public Recorder Log { get; } = new();

    public IPEndPoint EndPoint => Server.EndPoints[0];

    public bool IsTls { get; }

    public RawClient Connect(int receiveBufferBytes = 0) => new(EndPoint, receiveBufferBytes, IsTls ? TestCertificates.Shared.Client() : null);

    public MemoryClient ConnectInMemory() => new(Server);

    /// <summary>GET /plaintext, POST /echo (exactly the content), POST /ignore (does not read), GET /throw, GET /empty (204).</summary>
    public static Router Plain()
    {
        Router routes = new();
        routes.Get("/plaintext"u8, static exchange =>
        {
            exchange.Response.Send(200, "text/plain"u8, "Hello, World!"u8);
            return default;
        });
        routes.Post("/echo"u8, EchoAsync);
        routes.Post("/ignore"u8, static exchange =>
        {
            exchange.Response.Send(200, "text/plain"u8, "ignored"u8);
            return default;
        });
        routes.Get("/throw"u8, static _ => throw new InvalidOperationException("thrown by the handler"));
        routes.Get("/empty"u8, static exchange =>
        {
            exchange.Response.Start(204);
            exchange.Response.EndHead(0);
            return default;
        });
        routes.Get("/chunked"u8, static exchange =>
        {
            exchange.Response.Start(200);
            exchange.Response.EndHeadChunked();
            exchange.Response.Write("Hello, "u8);
            exchange.Response.Write("World!"u8);
            return default;
        });
        return routes;
    }

    public static async ValueTask EchoAsync(Exchange exchange)
    {
        ResponseWriter response = exchange.Response;
        BodyRead read = await exchange.Body.ReadAsync();
        if (read.IsRejected) return;
        response.Start(200);
        if (exchange.Body.IsChunked) response.EndHeadChunked();
        else response.EndHead(exchange.Body.Length ?? 0);
        while (true)
        {
            response.Write(read.Data);
            if (read.IsEnd) return;
            if (!await response.FlushAsync()) return;
            read = await exchange.Body.ReadAsync();
            if (read.IsRejected) throw new IOException("the request's content ended early");
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        Assert.That(Log.Bugs, Is.Empty, "the server failed");
        Assert.That(Server.ConnectionCount, Is.Zero, "connections left");
        await Until.TrueAsync(() => PinnedBlockPool.Shared.Outstanding <= _blocks);
    }
}
