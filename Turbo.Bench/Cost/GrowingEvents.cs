using System.Diagnostics;
using Turbo.Bench.Load;
using Turbo.Server;
using Turbo.Server.Storage;

namespace Turbo.Bench.Cost;

/// <summary>Event rows from 1,000 to 1,000,000: what one more costs, and what it takes to look through them.</summary>
internal static class GrowingEvents
{
    private const int Asking = 16;
    private const int BodyBytes = 300;

    public static CostTable Run(CostBench bench)
    {
        CostTable table = new("events", $"event rows, each with {BodyBytes} bytes of request and of response", ["CPU µs, request with its row", "ms, admin events", "ms, admin events --user", "ms, admin usage --since 1h", "ms, admin usage", "of which µs for each row"],
            "A row more goes to the end of each index, since ids are in the order of time too (UUIDv7): it costs the same. The last 1,000 events come off the end of an index. Those of one user in a thousand are told apart there, and usage is summed there, without the rows and the bodies in them: both grow with the events that they look through, which --since bounds. An index by user would be flat, and double what every row costs.");
        string folder = CostBench.NewFolder();
        int rows = 0;
        foreach (int size in (int[])[1000, 10_000, 100_000, 1_000_000])
        {
            bench.Progress.Step("events", $"{size:N0} rows");
            using (CostDatabase database = new(folder))
            {
                if (rows == 0) database.AddUsers(0, 1);
                database.AddEvents(rows, size - rows, BodyBytes);
                database.Settle();
                rows = size;
            }
            (double last, double ofUser, double hour, double all) = Look(folder, size);
            // The rows that the server adds have no usage, and are few.
            using ServerProcess server = bench.Start(folder, keepsFolder: true);
            server.Token = CostDatabase.Token(0);
            byte[][] requests = [Scenario.Request(server, "GET", "/user/session", "")];
            Expected expected = Expected.Containing("\"user\":{");
            bench.WarmUp(server, "session", () => new HttpVisitor(requests, expected), Asking);
            Measurement m = bench.Measure(server, () => new HttpVisitor(requests, expected), Asking);
            table.Add(size, m.CpuMicroseconds, last, ofUser, hour, all, all * 1000 / size);
        }
        Scratch.Delete(folder);
        return table;
    }

    // What the commands ask of the database, without the start of a process.
    private static (double Last, double OfUser, double Hour, double All) Look(string folder, int rows)
    {
        Db db = Db.OpenAsync(new SqliteAddress(Path.Combine(folder, "turbo.db")), new DbOptions(), TimeProvider.System).Result;
        DateTime newest = DateTime.UnixEpoch.AddSeconds(1764000000 + rows - 1);
        double last = Best(() => Expect(db.Events.QueryAsync(new EventQuery()).Result.Count, Math.Min(rows, 1000)));
        double ofUser = Best(() => Expect(db.Events.QueryAsync(new EventQuery { UserId = CostDatabase.Id(7) }).Result.Count, Math.Min(rows / 1000, 1000)));
        double hour = Best(() => Expect(db.Events.UsageAsync(newest.AddHours(-1).AddSeconds(1)).Result.Sum(static sum => sum.Calls), Math.Min(rows, 3600)));
        double all = Best(() => Expect(db.Events.UsageAsync(null).Result.Sum(static sum => sum.Calls), rows));
        db.DisposeAsync().AsTask().Wait();
        return (last, ofUser, hour, all);
    }

    private static void Expect(long found, long expected)
    {
        if (found != expected) throw new BenchException($"{found} events where there are {expected}");
    }

    // Milliseconds of the best of three: the first one reads the file.
    private static double Best(Action look) => Enumerable.Range(0, 3).Min(_ =>
    {
        long started = Stopwatch.GetTimestamp();
        look();
        return Stopwatch.GetElapsedTime(started).TotalMilliseconds;
    });
}
