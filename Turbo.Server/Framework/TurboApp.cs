using System.Net;
using Turbo.Server.Cli;

namespace Turbo.Server;

/// <summary>
/// An application on Turbo: its users, groups, chats and <c>/v1</c> proxy as they are, and beside them endpoints of its
/// own, which have a database, a cache, events and the model at hand.
/// <code>
/// TurboApp app = new();
/// app.Register("/", request => request.Text("Hello, World!"), isPrivate: false);
/// return await app.RunAsync();
/// </code>
/// Endpoints and hooks are registered before the start; all else may be used by any thread while the application runs.
/// </summary>
public sealed partial class TurboApp : IAsyncDisposable
{
    private readonly TurboAppOptions _options;
    private readonly AppExtension _extension;
    private readonly List<Func<Task>> _starting = [];
    private AppHost? _host;
    private int _state;

    /// <summary>Makes an application that does nothing yet.</summary>
    /// <param name="options">Where its configuration comes from; null is the environment, as <c>turbo</c> itself reads it.</param>
    public TurboApp(TurboAppOptions? options = null)
    {
        _options = options ?? new TurboAppOptions();
        _extension = new AppExtension(this);
        Ai = new AppAi(this);
        Cache = new AppCache(this);
        Db = new AppDb(this);
        Events = new AppEvents(this);
    }

    private enum State { New, Starting, Running, Stopped }

    /// <summary>The model; there from the start on.</summary>
    public AppAi Ai { get; }

    /// <summary>The cache; there from the start on.</summary>
    public AppCache Cache { get; }

    /// <summary>The application's own tables; there from the start on, but for <see cref="AppDb.MigrateAsync"/>.</summary>
    public AppDb Db { get; }

    /// <summary>Publishes and subscribes; there from the start on.</summary>
    public AppEvents Events { get; }

    /// <summary>The bound addresses, ports resolved; empty before the start.</summary>
    public IReadOnlyList<IPEndPoint> EndPoints => _host?.EndPoints ?? [];

    /// <summary>Cancelled when the application stops: what an endpoint waits for without end waits with it.</summary>
    public CancellationToken Stopping => Host.Stopping;

    /// <summary>The running application. Throws <see cref="InvalidOperationException"/> before the start.</summary>
    internal AppHost Host => _host ?? throw new InvalidOperationException("the application has not started: do this in OnStart, or in an endpoint");

    /// <summary>Whether it has opened its database: what needs one can be done now.</summary>
    internal bool HasHost => _host is not null;

    /// <summary>
    /// Runs at the start, when database, cache and events are there and before the first request is taken; several run
    /// in the order of the calls. What one throws ends the start.
    /// </summary>
    public TurboApp OnStart(Func<Task> action)
    {
        CheckIsNew();
        _starting.Add(action);
        return this;
    }

    /// <summary>Starts listening and returns: for tests, and programs that do something else besides.</summary>
    /// <exception cref="TurboStartException">The configuration is malformed, or an address, the database or Redis is not to be had. Nothing is left open.</exception>
    public async Task StartAsync()
    {
        if (Interlocked.CompareExchange(ref _state, (int)State.Starting, (int)State.New) != (int)State.New) throw new InvalidOperationException("an application starts once");
        HomeFolder.Ensure();
        AppOptions options = _options.Read();
        try
        {
            await AppHost.StartAsync(options, _options.Time, _options.Log, _extension);
        }
        catch (Exception e) when (StartFailure.Of(e, options) is { } failure)
        {
            throw new TurboStartException(failure.Line, failure.ExitCode, e);
        }
        Volatile.Write(ref _state, (int)State.Running);
    }

    /// <summary>
    /// Stops accepting, lets the requests in flight finish within SHUTDOWN_TIMEOUT, ends streams, stores what waits to be
    /// stored and closes the database. Does nothing before the start or the second time.
    /// </summary>
    public async Task StopAsync()
    {
        if (Interlocked.Exchange(ref _state, (int)State.Stopped) == (int)State.Running) await Host.DisposeAsync();
    }

    /// <summary>
    /// Runs until SIGTERM, SIGINT or SIGHUP, then stops as <see cref="StopAsync"/> does; a second signal ends the process at
    /// once. A start that fails is one line on stderr. systemd, where it asks, is told when the application serves and
    /// when it stops.
    /// </summary>
    /// <returns>The process's exit code, which <see cref="Environment.ExitCode"/> has, too: 0 after an orderly stop, 1 where something is not to be had, 2 for a malformed configuration.</returns>
    public async Task<int> RunAsync()
    {
        using StopSignals signals = new();
        try
        {
            await StartAsync();
        }
        catch (TurboStartException e)
        {
            Console.Error.WriteLine(e.Message);
            return Environment.ExitCode = e.ExitCode;
        }
        Host.Log.Info($"started on {string.Join(", ", EndPoints)}: database {Host.Db.Description}, upstream {Host.Options.Upstream}");
        ServiceManager.Ready();
        await signals.FirstSignal;
        Host.Log.Info("stopping");
        ServiceManager.Stopping();
        await StopAsync();
        return ExitCode.Ok;
    }

    /// <summary>As <see cref="StopAsync"/>.</summary>
    public async ValueTask DisposeAsync() => await StopAsync();

    /// <summary>Called when all is there but the listeners.</summary>
    internal async Task StartingAsync(AppHost host)
    {
        _host = host;
        foreach (Func<Task> action in _starting) await action();
    }

    private void CheckIsNew()
    {
        if (Volatile.Read(ref _state) != (int)State.New) throw new InvalidOperationException("register before the application starts");
    }
}
