using Turbo.Bench.Load;

namespace Turbo.Bench.Cost;

/// <summary>Connections from 1 to 10,000, of which at most 64 ask at a time: each request finds its connection cold.</summary>
internal static class GrowingConnections
{
    private const int Asking = 64;

    public static CostTable Run(CostBench bench)
    {
        CostTable table = new("connections", "open connections, of which 64 ask at a time, each in its turn", ["CPU µs, /user/session", "p50 µs", "p99 µs"],
            "At 1 and 10 a wakeup of the event loop has few requests to share it; from 100 on it is shared by 64. Beyond, each request touches memory that no processor cache holds any more, in the server and in the kernel.");
        using ServerProcess server = bench.Start();
        Func<Visitor> visit = Visit(server);
        bench.Progress.Step("connections", "64 that ask");
        bench.WarmUp(server, "session", visit, Asking);
        foreach (int size in (int[])[1, 10, 100, 1000, 10_000])
        {
            bench.Progress.Step("connections", $"{size:N0}");
            using LoadLoop loop = new(server.EndPoint);
            Visitor[] visitors = Measuring.Connect(loop, visit, size);
            Measurement m = CostBench.Checked(Measuring.Run(server, loop, visitors, bench.Options.Seconds, 0, Asking));
            table.Add(size, m.CpuMicroseconds, m.P50Microseconds, m.P99Microseconds);
        }
        return table;
    }

    private static Func<Visitor> Visit(ServerProcess server)
    {
        byte[][] requests = [Scenario.Request(server, "GET", "/user/session", "")];
        Expected expected = Expected.Containing("\"user\":{");
        return () => new HttpVisitor(requests, expected);
    }
}
