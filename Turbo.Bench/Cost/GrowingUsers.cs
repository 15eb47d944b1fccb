using Turbo.Bench.Load;

namespace Turbo.Bench.Cost;

/// <summary>Users from 1 to 100,000, each with a session.</summary>
internal static class GrowingUsers
{
    private const int Asking = 16;
    private const int Known = 1000;
    private const int Fresh = 20_000;

    public static CostTable Run(CostBench bench)
    {
        CostTable table = new("users", "users, each with a session", ["CPU µs, /user/login", "CPU µs, session that is known", "CPU µs, session asked for the first time"],
            "A login is a look-up in the index of usernames and the least work that bcrypt does (cost 4 here; the default of 10 is 64 times as much, on threads of its own). A known session is one look-up in memory, the first request of one a look-up in the database too; either then reads its user's row. These requests are of 1,000 users spread over all: in a large file their rows lie on as many pages, of which SQLite keeps few from one commit to the next.");
        foreach (int size in (int[])[1, 100, 10_000, 100_000])
        {
            bench.Progress.Step("users", $"{size:N0}");
            string folder = CostBench.NewFolder();
            using (CostDatabase database = new(folder))
            {
                database.AddUsers(0, size);
                database.Settle();
            }
            using ServerProcess server = bench.Start(folder);
            int[] known = [.. Enumerable.Range(0, Math.Min(size, Known)).Select(i => (int)((long)i * size / Math.Min(size, Known)))];
            Func<Visitor> session = Sessions(server, known);
            bench.WarmUp(server, "session", session, Asking);
            Measurement warm = bench.Measure(server, session, Asking);
            Func<Visitor> login = Logins(server, known);
            bench.WarmUp(server, "login", login, Asking);
            Measurement logins = bench.Measure(server, login, Asking);
            table.Add(size, logins.CpuMicroseconds, warm.CpuMicroseconds, size >= 10_000 ? First(bench, server, size, known) : double.NaN);
        }
        return table;
    }

    // Each session once; together they are all that are not known yet, or a part of them that takes a second or so.
    private static double First(CostBench bench, ServerProcess server, int size, int[] known)
    {
        bench.Progress.Step("users", $"{size:N0}, first requests");
        int[] fresh = [.. Enumerable.Range(0, size).Except(known).Take(Fresh)];
        using LoadLoop loop = new(server.EndPoint);
        List<Visitor> visitors = [.. fresh.Chunk(fresh.Length / Asking + 1).Select(part => Sessions(server, part)())];
        foreach (Visitor visitor in visitors) loop.Add(visitor);
        LoadRun run = new(loop);
        double before = server.CpuSeconds();
        for (int i = 0; i < fresh.Length / Asking; i++) run.Once(visitors);
        double cpu = server.CpuSeconds() - before;
        if (loop.Failures > 0) throw new BenchException($"{loop.Failures} failures, the first: {loop.FirstFailure}");
        return cpu * 1e6 / run.Count;
    }

    private static Func<Visitor> Sessions(ServerProcess server, int[] users)
    {
        byte[][] requests = [.. users.Select(user => Scenario.Request(server, "GET", "/user/session", "", token: CostDatabase.Token(user)))];
        Expected expected = Expected.Containing("\"user\":{");
        int next = 0;
        return () => new HttpVisitor(requests, expected, first: next++ * users.Length / Asking % users.Length);
    }

    private static Func<Visitor> Logins(ServerProcess server, int[] users)
    {
        byte[][] requests = [.. users.Select(user => Scenario.Request(server, "POST", "/user/login", $$"""{"username":"{{CostDatabase.UserName(user)}}","password":"{{CostDatabase.Password}}"}"""))];
        Expected expected = Expected.Containing("\"Token\":");
        int next = 0;
        return () => new HttpVisitor(requests, expected, first: next++ * users.Length / Asking % users.Length);
    }
}
