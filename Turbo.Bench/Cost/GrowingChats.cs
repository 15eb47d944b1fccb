using Turbo.Bench.Load;

namespace Turbo.Bench.Cost;

/// <summary>Chats of 10 to 10,000 messages.</summary>
internal static class GrowingChats
{
    private const int Asking = 8;

    public static CostTable Run(CostBench bench)
    {
        CostTable table = new("chat", "messages in a chat", ["CPU µs, /chat/prompt", "p50 µs", "CPU µs, /chat/read", "of which for each message"],
            "A prompt takes the last exchanges from the cache, or off the end of an index. /chat/read answers with the messages, up to CHAT_MESSAGES, so it grows with them, and the cost of each is what it tells.");
        foreach (int size in (int[])[10, 100, 1000, 10_000])
        {
            bench.Progress.Step("chat", $"{size:N0} messages");
            string folder = CostBench.NewFolder();
            // Prompts add messages: many chats, so that none grows much.
            int chats = Math.Clamp(20_000 / size, 8, 1000);
            List<string> ids = [];
            using (CostDatabase database = new(folder))
            {
                database.AddUsers(0, 1);
                for (int i = 0; i < chats; i++) ids.Add(database.AddChat(0, i, size));
                database.Settle();
            }
            using ServerProcess server = bench.Start(folder);
            server.Token = CostDatabase.Token(0);
            Func<Visitor> read = Read(server, ids);
            bench.WarmUp(server, "read", read, Asking);
            Measurement reading = bench.Measure(server, read, Asking);
            Func<Visitor> prompt = Prompt(server, ids);
            bench.WarmUp(server, "prompt", prompt, Asking);
            Measurement prompting = bench.Measure(server, prompt, Asking);
            table.Add(size, prompting.CpuMicroseconds, prompting.P50Microseconds, reading.CpuMicroseconds, reading.CpuMicroseconds / size);
        }
        return table;
    }

    private static Func<Visitor> Read(ServerProcess server, List<string> chats)
    {
        byte[][] requests = [.. chats.Select(chat => Scenario.Request(server, "GET", $"/chat/read?id={chat}", ""))];
        Expected expected = Expected.Containing("\"users\":[");
        int next = 0;
        return () => new HttpVisitor(requests, expected, first: next++ * chats.Count / Asking % chats.Count);
    }

    // Each connection begins at chats of its own: prompts of one chat wait for each other.
    private static Func<Visitor> Prompt(ServerProcess server, List<string> chats)
    {
        byte[][] requests = [.. chats.Select(chat => Scenario.Request(server, "POST", "/chat/prompt", $$"""{"id":"{{chat}}","prompt":"hello there"}"""))];
        Expected expected = Expected.Containing("and no more\"}");
        int next = 0;
        return () => new HttpVisitor(requests, expected, first: next++ * chats.Count / Asking % chats.Count);
    }
}
