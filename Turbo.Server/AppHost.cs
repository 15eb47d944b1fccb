using System.Net;
using Turbo.Net;
using Turbo.Net.Tls;
using Turbo.Server.Ai;
using Turbo.Server.Api;
using Turbo.Server.Auth;
using Turbo.Server.Cache;
using Turbo.Server.Chats;
using Turbo.Server.Events;
using Turbo.Server.Logging;
using Turbo.Server.Metrics;
using Turbo.Server.OpenApi;
using Turbo.Server.Storage;
using Turbo.Server.Streams;

namespace Turbo.Server;

/// <summary>
/// The application, composed by hand: its parts are made in the order in which they need each other, and stopped in
/// reverse. In a test it runs in-process, at port 0 and on the test's clock.
/// </summary>
internal sealed class AppHost : IAsyncDisposable
{
    private readonly LogWriter _logWriter;
    private readonly Passwords _passwords;
    private readonly EventRetention? _retention;
    private readonly CertificateFiles? _certificate;
    private readonly TurboServer _server;
    private readonly Dispatcher _dispatcher;
    private readonly long _started;
    private readonly CancellationTokenSource _stopping = new();
    private int _isStopping;

    private AppHost(
        AppOptions options, IReadOnlyList<IPEndPoint> endPoints, CertificateFiles? certificate, Db db, Backplane backplane, LogWriter logWriter, TimeProvider time, AppExtension? extension)
    {
        _certificate = certificate;
        Extension = extension;
        Options = options;
        Time = time;
        Db = db;
        _logWriter = logWriter;
        Log = new AppLog(logWriter, options.LogLevel);
        Requests = new RequestMetrics(time);
        _started = time.GetTimestamp();

        Sessions = new Sessions(db.Users, new SessionOptions(), time, Report);
        _passwords = new Passwords(options.BcryptCost);
        Accounts = new Accounts(db.Users, _passwords, new LoginLimiter(options.LoginAttempts, time), Sessions, time);

        Backplane = backplane;
        Events = new EventWriter(
            db.Events.InsertAsync, StorageException.IsRowsFault, EventBus,
            new EventWriterOptions { BodyBytes = (int)options.EventBodiesBytes, QueueBytes = options.EventQueueBytes, RoomTimeout = options.EventQueueWait },
            time, Report);
        if (options.EventRetention is { } age) _retention = new EventRetention(db.Events.DeleteOlderThanAsync, age, time, Report);

        Users = new UserApi(this);
        Groups = new GroupApi(this);
        Chats = new ChatApi(this);
        SavedPrompts = new SavedPromptApi(this);
        Health = new HealthApi(this);
        OwnEvents = new OwnEventsApi(this);
        MetricsPage = new MetricsApi(this);
        Cors cors = Cors = new Cors(options.CorsOrigins);
        Gateway = new OpenAiGateway(options, time, cors.Write, new UpstreamLog(Log, options.Upstream, time).ConnectFailed);
        Proxy = new ProxyApi(this);

        Access = new AccessWatch(db.Chats.MayReadAsync, db.Groups.AreMembersAsync, time, Report);
        Streams = new LiveStreams(EventBus, Sessions, Access, time);
        Completions = new ChatCompletions(Gateway, options, time);
        Prompts = new Prompts(db, new ChatContext(db.Chats, Cache, options), Completions, EventBus, Access, options, time, Report);
        ChatStreams = new StreamApi(this, cors);
        PublishedEvents = new EventApi(this, cors);

        RouteTable<Route> routes = Routes.Build(options, extension);
        Description = new DescriptionApi(new ApiSurface(routes, options.ProxyAuth));
        Dispatcher dispatcher = _dispatcher = new Dispatcher(this, routes, cors, new RequestLog(logWriter, options.LogLevel));
        TurboServerOptions serverOptions = new()
        {
            EndPoints = certificate is null ? endPoints : [],
            TlsEndPoints = certificate is null ? [] : endPoints,
            Tls = certificate is null ? null : new TlsOptions
            {
                SelectCertificate = _ => certificate.Current,
                PlainTextResponse = ApiError.PlainText.ToResponse("Bad Request", cors.Unasked.Span),
            },
            Transport = options.Transport,
            Limits = options.Limits,
            Log = new ServerLog(Log),
            TimeProvider = time,
            WriteCommonFields = cors.Write,
            WriteError = dispatcher.WriteError,
            RefusalResponse = ApiError.TooManyConnections.ToResponse("Service Unavailable", cors.Unasked.Span),
        };
        _server = new TurboServer(serverOptions, dispatcher.HandleAsync);
    }

    /// <summary>What an application built on Turbo adds; null without one.</summary>
    public AppExtension? Extension { get; }

    public AppOptions Options { get; }

    public TimeProvider Time { get; }

    public AppLog Log { get; }

    public Db Db { get; }

    public Sessions Sessions { get; }

    public Accounts Accounts { get; }

    /// <summary>Cache and event bus, and whether they are shared.</summary>
    public Backplane Backplane { get; }

    public ICache Cache => Backplane.Cache;

    public IEventBus EventBus => Backplane.Bus;

    public EventWriter Events { get; }

    public OpenAiGateway Gateway { get; }

    /// <summary>Chat completions that Turbo itself asks for.</summary>
    public ChatCompletions Completions { get; }

    public Prompts Prompts { get; }

    /// <summary>Ends streams and coming replies when their users lose access.</summary>
    public AccessWatch Access { get; }

    public LiveStreams Streams { get; }

    public UserApi Users { get; }

    public GroupApi Groups { get; }

    public ChatApi Chats { get; }

    public SavedPromptApi SavedPrompts { get; }

    public StreamApi ChatStreams { get; }

    public EventApi PublishedEvents { get; }

    public ProxyApi Proxy { get; }

    public DescriptionApi Description { get; }

    public HealthApi Health { get; }

    public OwnEventsApi OwnEvents { get; }

    /// <summary>The page at <c>/</c>.</summary>
    public WebPage Web { get; } = new();

    public MetricsApi MetricsPage { get; }

    public Cors Cors { get; }

    /// <summary>Cancelled when the streams are to end: the application stops.</summary>
    public CancellationToken Stopping => _stopping.Token;

    /// <summary>Counts every request.</summary>
    public RequestMetrics Requests { get; }

    /// <summary>Since it was started.</summary>
    public TimeSpan Uptime => Time.GetElapsedTime(_started);

    /// <summary>Log lines that were lost so far.</summary>
    public long LostLogLines => _logWriter.LostEver;

    /// <summary>The bound addresses, ports resolved.</summary>
    public IReadOnlyList<IPEndPoint> EndPoints => _server.EndPoints;

    /// <summary>Whether the application is stopping: it takes no new work.</summary>
    public bool IsDraining => Volatile.Read(ref _isStopping) != 0;

    internal TurboServer Server => _server;

    /// <summary>What a client is told of a handler's failure, which is logged.</summary>
    public ApiError ErrorOf(Exception failure) => _dispatcher.ErrorOf(failure);

    /// <summary>Requests that have a log line and no event row: refused before they had a handler, or for want of room.</summary>
    internal long RequestsWithoutRow => _dispatcher.RequestsWithoutRow;

    /// <summary>
    /// Opens what the options name and listens. Throws <see cref="InvalidCertificateException"/> when the certificate
    /// cannot be served with, <see cref="StorageException"/> when the database cannot be
    /// opened, <see cref="Redis.RedisUnavailableException"/> when Redis cannot be reached and
    /// <see cref="System.Net.Sockets.SocketException"/> when an address cannot be bound; then nothing is left open.
    /// </summary>
    /// <param name="options">The configuration.</param>
    /// <param name="time">The clock; null is the system's.</param>
    /// <param name="log">Where log lines go; null is stdout.</param>
    /// <param name="extension">What an application built on Turbo adds.</param>
    public static async Task<AppHost> StartAsync(AppOptions options, TimeProvider? time = null, Stream? log = null, AppExtension? extension = null)
    {
        time ??= TimeProvider.System;
        List<IPEndPoint> endPoints = [];
        foreach (ListenAddress address in options.Addresses) endPoints.AddRange(await address.ResolveAsync(CancellationToken.None));
        LogWriter logWriter = new(log ?? Console.OpenStandardOutput(), options.LogFormat, time);
        AppLog startLog = new(logWriter, options.LogLevel);
        CertificateFiles? certificate = null;
        Backplane? backplane = null;
        AppHost app;
        try
        {
            if (options.TlsCertFile.Length > 0) certificate = CertificateFiles.Open(options.TlsCertFile, options.TlsKeyFile, time, new ServerLog(startLog));
            backplane = await Backplane.OpenAsync(options, time, (what, failure) => Report(startLog, what, failure));
            Db db = await Db.OpenAsync(options.Database, DbOptionsOf(options), time);
            app = new AppHost(options, endPoints, certificate, db, backplane, logWriter, time, extension);
        }
        catch
        {
            if (backplane is not null) await backplane.DisposeAsync();
            certificate?.Dispose();
            logWriter.Dispose();
            throw;
        }
        try
        {
            if (extension is not null) await extension.StartingAsync(app);
            app._server.Start();
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }
        return app;
    }

    /// <summary>
    /// Stops accepting, lets the requests in flight and the replies that are coming finish within SHUTDOWN_TIMEOUT, ends
    /// the streams that show them, stores the events that wait, and closes the database. A second call waits for nothing.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _isStopping, 1) != 0) return;
        Task<int> stopping = _server.StopAsync(Options.ShutdownTimeout);
        await Prompts.StopAsync(Options.ShutdownTimeout);
        // The last words of a reply are still on their way to the streams that are to show them.
        await EventBus.SettleAsync(Options.ShutdownTimeout / 8);
        Streams.Drain();
        await _stopping.CancelAsync();
        int aborted = await stopping;
        if (aborted > 0) Log.Warn($"{aborted} connections were cut off: their requests did not end within SHUTDOWN_TIMEOUT");
        Streams.Dispose();
        await Access.DisposeAsync();
        await Gateway.DisposeAsync();
        if (_retention is not null) await _retention.DisposeAsync();
        await Events.DisposeAsync();
        await Sessions.DisposeAsync();
        _passwords.Dispose();
        _certificate?.Dispose();
        await Backplane.DisposeAsync();
        await Db.DisposeAsync();
        _logWriter.Dispose();
    }

    private static DbOptions DbOptionsOf(AppOptions options) => new()
    {
        Queue = options.StorageQueue,
        Connections = options.DatabaseConnections,
        CommandTimeout = options.DatabaseTimeout,
    };

    private void Report(string what, Exception? failure) => Report(Log, what, failure);

    private static void Report(AppLog log, string what, Exception? failure)
    {
        if (failure is null) log.Warn(what);
        else log.Error(what, failure);
    }
}
