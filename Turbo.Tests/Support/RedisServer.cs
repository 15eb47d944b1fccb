using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Turbo.Server;

namespace Turbo.Tests.Support;

/// <summary>
/// Debian's redis-server on a free port of loopback, nothing on disk: one for all tests that need no more than a Redis, and
/// others for those that stop theirs.
/// </summary>
internal sealed class RedisServer : IDisposable
{
    private const int Databases = 2_000;

    private static readonly Lazy<RedisServer> s_shared = new();
    private static int s_databases;

    private readonly TempFolder _folder = new();
    private Process? _process;

    public RedisServer()
    {
        using Socket probe = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        probe.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        Port = ((IPEndPoint)probe.LocalEndPoint!).Port;
        probe.Close();
        Start();
    }

    public int Port { get; }

    public string Url => $"redis://127.0.0.1:{Port}/0";

    /// <summary>An empty database on the server that all tests share; channels are the server's.</summary>
    public static RedisAddress NextDatabase() => s_shared.Value.Address with { Database = Interlocked.Increment(ref s_databases) % Databases };

    /// <summary>The same as REDIS_ADDRESS has it.</summary>
    public static string NextUrl() => $"redis://127.0.0.1:{s_shared.Value.Port}/{NextDatabase().Database}";

    /// <summary>Called once, after all tests.</summary>
    public static void StopShared()
    {
        if (s_shared.IsValueCreated) s_shared.Value.Dispose();
    }

    public RedisAddress Address => RedisAddress.TryParse(Url, out RedisAddress address) ? address : throw new InvalidOperationException(Url);

    public void Start()
    {
        string log = _folder.File("redis.log");
        try
        {
            _process = Process.Start("redis-server", ["--port", $"{Port}", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--databases", $"{Databases}", "--dir", _folder.Path, "--logfile", log, "--daemonize", "no"]);
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new InvalidOperationException("redis-server is not installed: run scripts/test", e);
        }
        if (!SpinWait.SpinUntil(Answers, Until.Deadline)) throw new InvalidOperationException($"redis-server did not start: {(File.Exists(log) ? File.ReadAllText(log) : "no log")}");
    }

    private bool Answers()
    {
        using Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Connect(IPAddress.Loopback, Port);
            socket.Send("PING\r\n"u8);
            return socket.Receive(new byte[16]) > 0;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>Ends it at once, as a crash does.</summary>
    public void Stop()
    {
        if (_process is null) return;
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
        _process = null;
    }

    public void Dispose()
    {
        Stop();
        _folder.Dispose();
    }
}
