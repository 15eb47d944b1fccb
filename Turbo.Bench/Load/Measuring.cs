using System.Net.Sockets;

namespace Turbo.Bench.Load;

/// <summary>Puts load on a server and takes its measure.</summary>
internal static class Measuring
{
    private static readonly TimeSpan s_settle = TimeSpan.FromMilliseconds(500);

    /// <summary>Runs visitors for so long.</summary>
    /// <param name="server">Whose time is counted.</param>
    /// <param name="visit">Makes a visitor.</param>
    /// <param name="connections">How many.</param>
    /// <param name="seconds">How long.</param>
    /// <param name="rate">Requests a second of an open loop; 0 is a closed one.</param>
    /// <param name="maxAsking">Connections that ask at a time.</param>
    public static Measurement Run(ServerProcess server, Func<Visitor> visit, int connections, double seconds, double rate = 0, int maxAsking = int.MaxValue)
    {
        using LoadLoop loop = new(server.EndPoint);
        Visitor[] visitors = Connect(loop, visit, connections);
        return Run(server, loop, visitors, seconds, rate, maxAsking);
    }

    /// <summary>The same with visitors that are connected.</summary>
    public static Measurement Run(ServerProcess server, LoadLoop loop, IReadOnlyList<Visitor> visitors, double seconds, double rate = 0, int maxAsking = int.MaxValue)
    {
        LoadRun run = new(loop, rate, maxAsking);
        double before = server.CpuSeconds();
        run.Run(visitors, TimeSpan.FromSeconds(seconds));
        double cpu = server.CpuSeconds() - before;
        return new Measurement
        {
            Count = run.Count,
            Seconds = run.Elapsed.TotalSeconds,
            CpuMicroseconds = run.Count > 0 ? cpu * 1e6 / run.Count : 0,
            CpuShare = cpu / run.Elapsed.TotalSeconds,
            PerSecond = run.Count / run.Elapsed.TotalSeconds,
            P50Microseconds = run.Latencies.At(0.5) / 1e3,
            P99Microseconds = run.Latencies.At(0.99) / 1e3,
            P999Microseconds = run.Latencies.At(0.999) / 1e3,
            Failures = loop.Failures + (run.Count == 0 ? 1 : 0),
            FirstFailure = loop.FirstFailure ?? (run.Count == 0 ? "nothing was answered" : null),
            Unsent = run.Unsent,
        };
    }

    /// <summary>What so many connections take of the server's memory, when each has had an answer and is idle.</summary>
    public static Measurement Idle(ServerProcess server, Func<Visitor> visit, int connections)
    {
        // What is compiled in the background is done by then.
        Thread.Sleep(s_settle);
        long before = server.ResidentBytes();
        using LoadLoop loop = new(server.EndPoint);
        Visitor[] visitors = Connect(loop, visit, connections);
        OnceEach(loop, visitors);
        Thread.Sleep(s_settle);
        return new Measurement
        {
            Count = connections,
            Bytes = (double)(server.ResidentBytes() - before) / connections,
            Failures = loop.Failures + (connections - loop.Open),
            FirstFailure = loop.FirstFailure ?? (loop.Open < connections ? $"{connections - loop.Open} connections were ended" : null),
        };
    }

    /// <summary>Connects visitors; each is taken by the server when it first asks.</summary>
    public static Visitor[] Connect(LoadLoop loop, Func<Visitor> visit, int connections)
    {
        Visitor[] visitors = [.. Enumerable.Range(0, connections).Select(_ => visit())];
        try
        {
            foreach (Visitor visitor in visitors) loop.Add(visitor);
        }
        catch (SocketException e)
        {
            throw new BenchException($"connection {loop.Open + 1} of {connections}: {e.Message}");
        }
        return visitors;
    }

    private static void OnceEach(LoadLoop loop, Visitor[] visitors)
    {
        foreach (Visitor[] few in visitors.Chunk(16)) new LoadRun(loop).Once(few);
    }
}

/// <summary>What a run was made on: figures of two machines are not compared.</summary>
internal static class Machine
{
    public static string Description { get; } =
        $"{Environment.ProcessorCount} × {Processor()}, Linux {Environment.OSVersion.Version.ToString(2)}, .NET {Environment.Version}";

    private static string Processor() =>
        File.ReadLines("/proc/cpuinfo").FirstOrDefault(static line => line.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1].Trim() ?? "processor";
}
