using System.Buffers.Text;
using System.Net;
using System.Text;
using Turbo.Net;

namespace Turbo.Server.Mock;

/// <summary>
/// An upstream that speaks OpenAI's API with made-up answers, so that Turbo runs, is tested and is measured with no key.
/// Replies depend on nothing but the request. Every model name is taken. No key is asked for, but one that begins with
/// "sk-invalid" is refused. Requests say by X-Mock-* fields how they want to be answered: <see cref="Pacing.Help"/>.
/// A client that closes its side has left: the work for it ends at once.
/// </summary>
internal sealed class MockServer : IAsyncDisposable
{
    private readonly RouteTable<MockHandler> _routes = new();
    private readonly TurboServer _server;
    private long _responses;

    public MockServer(MockOptions? options = null)
    {
        Options = options ?? new MockOptions();
        Files = new FileStore(Options);
        Map();
        _server = new TurboServer(new TurboServerOptions
        {
            EndPoints = Options.EndPoints,
            TimeProvider = Options.TimeProvider,
            Log = Options.Log,
            WriteCommonFields = WriteRequestId,
            WriteError = (exchange, status, message) => MockCall.Of(this, exchange).SendError(new MockErrorException(status, message, "invalid_request_error")),
        }, HandleAsync);
    }

    public MockOptions Options { get; }

    public MockStats Stats { get; } = new();

    public FileStore Files { get; }

    /// <summary>The bound addresses, ports resolved.</summary>
    public IReadOnlyList<IPEndPoint> EndPoints => _server.EndPoints;

    /// <summary>The first bound address as a base for clients on this machine, such as http://127.0.0.1:9090.</summary>
    public Uri Address
    {
        get
        {
            IPEndPoint bound = EndPoints[0];
            bool isAny = bound.Address.Equals(IPAddress.Any) || bound.Address.Equals(IPAddress.IPv6Any);
            return new Uri($"http://{(isAny ? new IPEndPoint(IPAddress.Loopback, bound.Port) : bound)}");
        }
    }

    /// <summary>Binds and accepts.</summary>
    public void Start() => _server.Start();

    /// <summary>Stops accepting and lets what is in flight finish for at most <paramref name="timeout"/>.</summary>
    public Task StopAsync(TimeSpan timeout) => _server.StopAsync(timeout);

    /// <summary>Stops at once.</summary>
    public async ValueTask DisposeAsync() => await StopAsync(TimeSpan.Zero).ConfigureAwait(false);

    private void Map()
    {
        _routes.Get("/v1/models"u8, Models.ListAsync);
        _routes.Get("/v1/models/*"u8, Models.ReadAsync);
        _routes.Post("/v1/chat/completions"u8, Completions.ChatAsync);
        _routes.Post("/v1/completions"u8, Completions.TextAsync);
        _routes.Post("/v1/responses"u8, Responses.AnswerAsync);
        _routes.Post("/v1/embeddings"u8, Embeddings.AnswerAsync);
        _routes.Post("/v1/files"u8, Files.CreateAsync);
        _routes.Get("/v1/files"u8, Files.ListAsync);
        _routes.Get("/v1/files/*"u8, Files.ReadAsync);
        _routes.Map(Net.HttpMethod.Delete, "/v1/files/*"u8, Files.DeleteAsync);
        _routes.Post("/v1/audio/speech"u8, Audio.SpeakAsync);
        _routes.Post("/v1/audio/transcriptions"u8, Audio.TranscribeAsync);
        _routes.Get("/v1/realtime"u8, RealtimeEcho.AnswerAsync);
    }

    private ValueTask HandleAsync(Exchange exchange)
    {
        MockCall call = MockCall.Of(this, exchange);
        if (exchange.Path.SequenceEqual("/mock/stats"u8))
        {
            Stats.Write(call.BeginJson());
            call.SendJson();
            return default;
        }
        call.Number = Stats.Begin();
        return AnswerAsync(call);
    }

    private async ValueTask AnswerAsync(MockCall call)
    {
        bool isCancelled = false;
        try
        {
            await DispatchAsync(call).ConfigureAwait(false);
            isCancelled = call.Exchange.Body.Reject == RejectReason.TruncatedBody;
        }
        catch (MockErrorException error) when (!call.Exchange.Response.HasStarted)
        {
            call.SendError(error);
        }
        catch (OperationCanceledException)
        {
            isCancelled = !call.IsBrokenOff;
            // For a client that only closed its sending side; the number is nginx's.
            if (!call.Exchange.Response.HasStarted) call.SendError(new MockErrorException(499, "The client closed the request.", "invalid_request_error"));
            else throw;
        }
        finally
        {
            Stats.End(isCancelled);
        }
    }

    private async ValueTask DispatchAsync(MockCall call)
    {
        Exchange exchange = call.Exchange;
        if (IsInvalidKey(exchange.Fields)) throw MockErrorException.OfStatus(401);
        call.Pacing = Pacing.Read(exchange.Fields);
        RouteMatch<MockHandler> match = _routes.Match(exchange.Method, exchange.Path);
        if (match.Target is null)
        {
            string target = $"{Encoding.ASCII.GetString(exchange.MethodName)} {Encoding.ASCII.GetString(exchange.Path)}";
            if (!match.IsKnownPath) throw MockErrorException.NotFound($"Invalid URL ({target})");
            call.SendError(new MockErrorException(405, $"Not allowed to {target}.", "invalid_request_error", null, "method_not_supported"), match.Allow.Span);
            return;
        }
        if (call.Pacing.Status is { } status)
        {
            if (!await DropContentAsync(exchange.Body).ConfigureAwait(false)) return;
            await call.DelayAsync().ConfigureAwait(false);
            throw MockErrorException.OfStatus(status);
        }
        if (exchange.Body.IsEmpty) await call.DelayAsync().ConfigureAwait(false);
        await match.Target(call).ConfigureAwait(false);
    }

    private static async ValueTask<bool> DropContentAsync(BodyReader body)
    {
        body.MaxBytes = long.MaxValue;
        while (true)
        {
            BodyRead read = await body.ReadAsync().ConfigureAwait(false);
            if (read.IsEnd) return !read.IsRejected;
        }
    }

    private static bool IsInvalidKey(HeaderFields fields) =>
        fields.TryGet(KnownField.Authorization, out ReadOnlySpan<byte> authorization)
        && authorization.Length > 7 && Ascii.EqualsIgnoreCase(authorization[..7], "Bearer "u8)
        && authorization[7..].TrimStart((byte)' ').StartsWith("sk-invalid"u8);

    private void WriteRequestId(Exchange exchange, ResponseWriter response)
    {
        Span<byte> id = stackalloc byte[32];
        "req_mock_"u8.CopyTo(id);
        Utf8Formatter.TryFormat(Interlocked.Increment(ref _responses), id[9..], out int digits);
        response.Field("x-request-id"u8, id[..(9 + digits)]);
    }
}
