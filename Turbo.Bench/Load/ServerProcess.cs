using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Turbo.Bench.Load;

/// <summary>A server that was started to be measured, in a scratch folder of its own; stopped, with all below it, when disposed.</summary>
internal sealed class ServerProcess : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    // Those that run. However this process ends, they end with it.
    private static readonly HashSet<ServerProcess> s_all = [];
    private static readonly PosixSignalRegistration s_interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, End);
    private static readonly PosixSignalRegistration s_term = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);

    private readonly Process _process;
    private readonly bool _keepsFolder;

    static ServerProcess() => AppDomain.CurrentDomain.UnhandledException += static (_, _) => StopAll();

    private ServerProcess(string name, string folder, bool keepsFolder, int port, ProcessStartInfo start)
    {
        _keepsFolder = keepsFolder;
        Name = name;
        Folder = folder;
        EndPoint = new IPEndPoint(IPAddress.Loopback, port);
        long started = Stopwatch.GetTimestamp();
        _process = Process.Start(start)!;
        lock (s_all) s_all.Add(this);
        try
        {
            AwaitReady();
        }
        catch
        {
            Dispose();
            throw;
        }
        StartTime = Stopwatch.GetElapsedTime(started);
    }

    public string Name { get; }

    public string Folder { get; }

    public IPEndPoint EndPoint { get; }

    public int Id => _process.Id;

    /// <summary>From its start to the first connection that it took.</summary>
    public TimeSpan StartTime { get; }

    /// <summary>The work that it has been measured with: what is compiled at run time is warm for that.</summary>
    public HashSet<string> WarmFor { get; } = [];

    /// <summary>What the client sends as Bearer; for servers with users.</summary>
    public string Token { get; set; } = "0123456789abcdef0123456789abcdef0123456789a=";

    /// <summary>Starts a command and waits until it takes connections.</summary>
    /// <param name="name">What to call it.</param>
    /// <param name="command">Gets the scratch folder and a free port, and gives program and arguments.</param>
    /// <param name="environment">Its variables, beside those of this process.</param>
    /// <param name="processor">Where it runs; null is anywhere.</param>
    /// <param name="folder">Where it runs, if that is there already.</param>
    /// <param name="keepsFolder">Whether that stays when it stops.</param>
    public static ServerProcess Start(string name, Func<string, int, string[]> command, Func<int, Dictionary<string, string>>? environment, int? processor, string? folder = null, bool keepsFolder = false)
    {
        folder ??= Directory.CreateTempSubdirectory($"turbo-bench-{name}-").FullName;
        int port = FreePort();
        // A shell that becomes the server: what it prints goes to a file, so that nobody need read it meanwhile.
        ProcessStartInfo start = new("/bin/sh", ["-c", "exec \"$@\" >>output.log 2>&1", "sh", .. Processors.Pinned(processor, command(folder, port))]) { WorkingDirectory = folder };
        foreach (Turbo.Server.OptionRow row in Turbo.Server.AppOptions.Table) start.Environment.Remove(row.Name);
        foreach ((string key, string value) in environment?.Invoke(port) ?? []) start.Environment[key] = value;
        return new ServerProcess(name, folder, keepsFolder, port, start);
    }

    public double CpuSeconds() => ProcessTree.CpuSeconds(Id);

    public long ResidentBytes() => ProcessTree.ResidentBytes(Id);

    public void Dispose()
    {
        lock (s_all)
        {
            if (!s_all.Remove(this)) return;
        }
        if (!_process.HasExited)
        {
            using (Process term = Process.Start("kill", ["-TERM", $"{Id}"])) term.WaitForExit();
            if (!_process.WaitForExit(TimeSpan.FromSeconds(5)))
            {
                _process.Kill(entireProcessTree: true);
                _process.WaitForExit();
            }
        }
        _process.Dispose();
        if (!_keepsFolder) Directory.Delete(Folder, recursive: true);
    }

    private static void End(PosixSignalContext signal)
    {
        StopAll();
        Environment.Exit(130);
    }

    private static void StopAll()
    {
        ServerProcess[] all;
        lock (s_all) all = [.. s_all];
        foreach (ServerProcess one in all) one.Dispose();
    }

    private void AwaitReady()
    {
        long started = Stopwatch.GetTimestamp();
        while (true)
        {
            using Socket probe = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                probe.Connect(EndPoint);
                return;
            }
            catch (SocketException) when (!_process.HasExited && Stopwatch.GetElapsedTime(started) < s_patience)
            {
                Thread.Sleep(2);
            }
            catch (SocketException)
            {
                throw new BenchException($"{Name} did not start: {Tail()}");
            }
        }
    }

    private string Tail()
    {
        string output = File.ReadAllText(Path.Combine(Folder, "output.log"));
        return output[Math.Max(0, output.Length - 2000)..];
    }

    private static int FreePort()
    {
        using Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }
}

/// <summary>Something that keeps a benchmark from being right: told in one line.</summary>
internal sealed class BenchException(string message) : Exception(message);
