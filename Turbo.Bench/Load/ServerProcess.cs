using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Turbo.Bench.Load;

/// <summary>A server that was started to be measured, in a scratch folder of its own; stopped, with all below it, when disposed.</summary>
internal sealed class ServerProcess : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    // A port that was free is another's before the server takes it: rare, and worth another try.
    private const int MaxTries = 3;

    // Those that run. However this process ends, they end with it.
    private static readonly HashSet<ServerProcess> s_all = [];

    private readonly Process _process;
    private readonly bool _keepsFolder;

    private ServerProcess(string name, string folder, bool keepsFolder, int port, ProcessStartInfo start)
    {
        _keepsFolder = keepsFolder;
        Name = name;
        Folder = folder;
        EndPoint = new IPEndPoint(IPAddress.Loopback, port);
        lock (s_all)
        {
            Interrupt.Check();
            _process = Process.Start(start)!;
            s_all.Add(this);
        }
    }

    public string Name { get; }

    public string Folder { get; }

    public IPEndPoint EndPoint { get; }

    public int Id => _process.Id;

    /// <summary>Whether nothing of it is compiled as it runs.</summary>
    public bool IsCompiledAhead { get; init; }

    /// <summary>The kinds of work that it has been warmed up for.</summary>
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
    /// <param name="isCompiledAhead">Whether nothing of it is compiled as it runs.</param>
    /// <exception cref="BenchException">It ended, or took no connection within half a minute; the message has the end of what it printed.</exception>
    public static ServerProcess Start(string name, Func<string, int, string[]> command, Func<int, Dictionary<string, string>>? environment, int? processor, string? folder = null, bool keepsFolder = false, bool isCompiledAhead = false)
    {
        folder ??= Scratch.NewFolder($"turbo-bench-{name}-");
        for (int tries = 1; ; tries++)
        {
            int port = FreePort();
            // A shell that becomes the server: what it prints goes to a file, so that nobody need read it meanwhile.
            ProcessStartInfo start = new("/bin/sh", ["-c", "exec \"$@\" >output.log 2>&1", "sh", .. Processors.Pinned(processor, command(folder, port))]) { WorkingDirectory = folder };
            foreach (Turbo.Server.OptionRow row in Turbo.Server.AppOptions.Table) start.Environment.Remove(row.Name);
            foreach ((string key, string value) in environment?.Invoke(port) ?? []) start.Environment[key] = value;
            ServerProcess server = new(name, folder, keepsFolder, port, start) { IsCompiledAhead = isCompiledAhead };
            try
            {
                server.AwaitReady();
                return server;
            }
            catch (BenchException) when (tries < MaxTries && server.Output().Contains("in use", StringComparison.OrdinalIgnoreCase))
            {
                server.Stop();
            }
            catch
            {
                server.Dispose();
                throw;
            }
        }
    }

    public double CpuSeconds() => ProcessTree.CpuSeconds(Id);

    public long ResidentBytes() => ProcessTree.ResidentBytes(Id);

    public void Dispose()
    {
        Stop();
        if (!_keepsFolder) Scratch.Delete(Folder);
    }

    /// <summary>Ends all that run, and deletes what they have written.</summary>
    public static void StopAll()
    {
        ServerProcess[] all;
        lock (s_all) all = [.. s_all];
        foreach (ServerProcess one in all) one.Stop();
        Scratch.DeleteAll();
    }

    private void Stop()
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
    }

    private void AwaitReady()
    {
        long started = Stopwatch.GetTimestamp();
        while (true)
        {
            Interrupt.Check();
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
                string output = Output().Trim();
                string what = _process.HasExited ? $"ended with exit code {_process.ExitCode}" : $"took no connection within {s_patience.TotalSeconds:0} s";
                throw new BenchException($"{Name} {what}: {(output.Length > 0 ? output[Math.Max(0, output.Length - 2000)..] : "it printed nothing")}");
            }
        }
    }

    private string Output() => Path.Combine(Folder, "output.log") is var file && File.Exists(file) ? File.ReadAllText(file) : "";

    private static int FreePort()
    {
        using Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }
}
