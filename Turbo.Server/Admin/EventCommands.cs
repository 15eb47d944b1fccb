using Turbo.Server.Model;
using Turbo.Server.Storage;

namespace Turbo.Server.Admin;

/// <summary>events, usage.</summary>
internal static class EventCommands
{
    private const int Page = 1000;

    public static AdminEntry[] Entries =>
    [
        new("events", [], ["--user ID", "--since AGE", "--limit N"], "requests, newest first; 1000 unless --limit says more or fewer",
            "id, timestamp, method, endpoint, status, duration_ns, client_ip, user_id, model, total_tokens, message", ListAsync),
        new("usage", [], ["--since AGE"], "tokens used, by user and model",
            "user_id, username, model, calls, prompt_tokens, completion_tokens, total_tokens", UsageAsync),
    ];

    private static async Task ListAsync(AdminSession session)
    {
        int left = session.Limit(Page);
        EventQuery query = new() { UserId = session.Flags.GetValueOrDefault("--user"), Since = session.Since };
        while (left > 0)
        {
            query = query with { Limit = Math.Min(left, Page) };
            IReadOnlyList<EventRecord> page = await session.Db.Events.QueryAsync(query);
            foreach (EventRecord row in page)
            {
                session.Output.Row(
                    ("id", row.Id), ("timestamp", row.Timestamp), ("method", row.Method), ("endpoint", row.Endpoint), ("status", row.Status),
                    ("duration_ns", row.Duration), ("client_ip", row.ClientIp), ("user_id", row.UserId), ("model", row.Model),
                    ("total_tokens", row.TotalTokens), ("message", row.Message));
            }
            if (page.Count < query.Limit) return;
            left -= page.Count;
            query = query with { Before = page[^1] };
        }
    }

    private static async Task UsageAsync(AdminSession session)
    {
        foreach (UsageSum sum in await session.Db.Events.UsageAsync(session.Since))
        {
            session.Output.Row(
                ("user_id", sum.UserId), ("username", sum.Username), ("model", sum.Model), ("calls", sum.Calls),
                ("prompt_tokens", sum.PromptTokens), ("completion_tokens", sum.CompletionTokens), ("total_tokens", sum.TotalTokens));
        }
    }
}
