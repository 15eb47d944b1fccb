using System.Net.Http.Json;
using System.Text.Json;
using Turbo.Bench.Peers;

namespace Turbo.Bench.Load;

/// <summary>What a server is asked for.</summary>
internal enum Role
{
    /// <summary>/plaintext, /json, and /ws where it has WebSockets: of Turbo, examples/echo on Turbo.Net.</summary>
    Web,
    /// <summary>/v1 to the upstream: of Turbo, the whole application with session, event row and request log.</summary>
    Proxy,
}

/// <summary>A server to be measured, and how it is started for each role.</summary>
/// <param name="Name">What the tables call it.</param>
/// <param name="IsCompiledAhead">Whether it is as fast in its first second as ever.</param>
/// <param name="HasWebSockets">Whether it has an echo at /ws.</param>
/// <param name="Web">The command for <see cref="Role.Web"/>, by scratch folder and port; null where it has none.</param>
/// <param name="Proxy">The command for <see cref="Role.Proxy"/>, by scratch folder, port and the upstream's port.</param>
/// <param name="IsTurbo">Whether it is configured by Turbo's variables and has users.</param>
internal sealed record Target(string Name, bool IsCompiledAhead, bool HasWebSockets, Func<string, int, string[]>? Web, Func<string, int, int, string[]>? Proxy, bool IsTurbo = false)
{
    private static readonly string s_root = FindRoot();
    private static readonly string s_host = Environment.ProcessPath is { } path && Path.GetFileNameWithoutExtension(path) == "dotnet" ? path : "dotnet";
    private static readonly string s_bench = typeof(Target).Assembly.Location;

    /// <summary>Where the tree is.</summary>
    public static string Root => s_root;

    /// <summary>All that can be measured on this machine.</summary>
    public static IEnumerable<Target> All()
    {
        yield return new Target("turbo", false, true, static (_, _) => [s_host, Built("examples/echo", "echo.dll")], static (_, _, _) => [s_host, Built("Turbo.Server", "turbo.dll")], IsTurbo: true);
        if (Ahead("turbo") is { } turbo)
        {
            string? echo = Ahead("echo");
            yield return new Target("turbo-aot", true, true, echo is null ? null : (_, _) => [echo], (_, _, _) => [turbo], IsTurbo: true);
        }
        yield return new Target("kestrel", false, true, static (_, port) => Peer("kestrel", port), null);
        yield return new Target("kestrel-inline", false, true, static (_, port) => Peer("kestrel", port, "--inline"), null);
        yield return new Target("yarp", false, false, null, static (_, port, upstream) => Peer("yarp", port, $"http://127.0.0.1:{upstream}"));
        yield return new Target("yarp-inline", false, false, null, static (_, port, upstream) => Peer("yarp", port, $"http://127.0.0.1:{upstream}", "--inline"));
        if (NginxPeer.Program is not null)
            yield return new Target("nginx", true, false, static (folder, port) => NginxPeer.Command(folder, port, 1), NginxPeer.Command);
    }

    /// <summary>Starts the mock upstream beside the client.</summary>
    public static ServerProcess StartUpstream(Processors processors) =>
        ServerProcess.Start("upstream", static (_, port) => Peer("upstream", port), null, processors.Client);

    public bool Can(Role role) => role == Role.Web ? Web is not null : Proxy is not null;

    /// <summary>Starts it; Turbo as a user runs it, with a user of its own signed up.</summary>
    /// <param name="role">What it is to serve.</param>
    /// <param name="processors">Where servers run.</param>
    /// <param name="upstreamPort">Where the upstream listens.</param>
    /// <param name="settings">Variables beside those that say where to listen and where the upstream is.</param>
    /// <param name="folder">Where its database is already; null is an empty scratch folder.</param>
    /// <param name="keepsFolder">Whether the folder stays when the server stops.</param>
    public ServerProcess Start(Role role, Processors processors, int upstreamPort, IReadOnlyDictionary<string, string>? settings = null, string? folder = null, bool keepsFolder = false)
    {
        ServerProcess server = ServerProcess.Start(
            Name, (scratch, port) => role == Role.Web ? Web!(scratch, port) : Proxy!(scratch, port, upstreamPort),
            port => Variables(port, upstreamPort, settings), processors.Server, folder, keepsFolder, IsCompiledAhead);
        try
        {
            if (IsTurbo && role == Role.Proxy) SignUp(server);
            return server;
        }
        catch
        {
            server.Dispose();
            throw;
        }
    }

    private static string[] Peer(string name, int port, params string[] rest) => [s_host, s_bench, "peer", name, $"{port}", .. rest];

    private static string Built(string project, string file) => Path.Combine(s_root, project, "bin/Release/net10.0", file);

    // What scripts/aot left, if it ran.
    private static string? Ahead(string program) =>
        new[] { $"artifacts/aot/{program}", $"artifacts/aot/{program}/{program}" }.Select(static path => Path.Combine(s_root, path)).FirstOrDefault(File.Exists);

    private static string FindRoot()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "Turbo.sln"))) folder = Path.GetDirectoryName(folder);
        return folder ?? throw new InvalidOperationException("Turbo.sln is in no folder above the program");
    }

    private Dictionary<string, string> Variables(int port, int upstreamPort, IReadOnlyDictionary<string, string>? settings)
    {
        Dictionary<string, string> variables = new()
        {
            ["DOTNET_TieredPGO"] = "1",
            // Bound to one processor, a server of .NET waits ten times as long before it compiles what is hot. That is the
            // pinning's doing: on the machine that it is meant for it has them all.
            ["DOTNET_TC_DelaySingleProcMultiplier"] = "1",
        };
        if (!IsTurbo) return variables;
        variables["ADDRESS"] = $"127.0.0.1:{port}";
        variables["OPENAI_API_URL"] = $"http://127.0.0.1:{upstreamPort}";
        variables["OPENAI_API_KEY"] = "sk-bench";
        foreach ((string name, string value) in settings ?? new Dictionary<string, string>()) variables[name] = value;
        return variables;
    }

    private static void SignUp(ServerProcess server)
    {
        using HttpClient client = new() { BaseAddress = new Uri($"http://{server.EndPoint}") };
        using HttpResponseMessage answer = client.PostAsJsonAsync("/user/signup", new { username = $"bench-{Guid.NewGuid():N}", password = "correct horse" }).Result;
        string content = answer.Content.ReadAsStringAsync().Result;
        if (!answer.IsSuccessStatusCode) throw new BenchException($"{server.Name}: signup was answered {(int)answer.StatusCode}: {content}");
        server.Token = JsonDocument.Parse(content).RootElement.GetProperty("Token").GetString()!;
    }
}
