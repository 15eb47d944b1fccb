using System.Text.Json;
using Turbo.Server.Logging;
using Turbo.Tests.Support;

namespace Turbo.Tests.Conformance;

/// <summary>What fails within Turbo: contract section 2, a 500 with nothing internal in it, and section 1, a log without what was said.</summary>
internal sealed class FailureTests(DatabaseKind kind) : StreamFixture(kind)
{
    private const string Secret = "between-us-only";

    [Test]
    public async Task A_failure_of_our_own_is_500_with_nothing_internal()
    {
        await StartAsync(static options => options with { LogLevel = LogLevel.Debug });
        TestApp app = App;
        string chat = await ChatAsync();
        await using StreamClient stream = await OpenAsync(StreamKind.Sse, chat, Member);
        await PromptAsync(Owner, chat, Secret);
        await stream.NextAsync();

        await App.Database.RunAsync("ALTER TABLE messages RENAME TO elsewhere");
        foreach (string fields in new[] { "", "&otr=true", "&stream=true", "&context=0", "&stream=true&otr=true" })
            IsInternal(await App.FormAsync("/chat/prompt", $"id={chat}&prompt={Secret}{fields}", Owner.Token));
        IsInternal(await App.GetAsync($"/chat/read?id={chat}", Owner.Token));
        await App.Database.RunAsync("ALTER TABLE elsewhere RENAME TO messages");

        // PostgreSQL's word for it would have the row in it.
        await App.Database.RunAsync(Kind == DatabaseKind.Sqlite
            ? "CREATE TRIGGER refuses BEFORE INSERT ON messages BEGIN SELECT RAISE(ABORT, 'refused'); END"
            : "ALTER TABLE messages ADD CONSTRAINT refuses CHECK (prompt = '') NOT VALID");
        IsInternal(await App.FormAsync("/chat/prompt", $"id={chat}&prompt={Secret}", Owner.Token));
        // One that was answered at once tells its subscribers.
        await PromptAsync(Owner, chat, Secret, "&stream=true&context=0");
        JsonElement last;
        do last = await stream.NextAsync();
        while (last.GetProperty("partial").GetBoolean());
        Assert.That(Text(last, "error"), Is.EqualTo("the message could not be stored"));
        Assert.That(Text(last.GetProperty("message"), "reply"), Is.EqualTo($"Reply to 1 message: {Secret}"));

        await App.Database.RunAsync(Kind == DatabaseKind.Sqlite ? "DROP TRIGGER refuses" : "ALTER TABLE messages DROP CONSTRAINT refuses");
        await PromptAsync(Owner, chat, "again");
        Assert.That(Turns(Sent[^1]), Is.EqualTo($"user: {Secret}\nassistant: Reply to 1 message: {Secret}\nuser: again"));
        await stream.DisposeAsync();
        await StopAppAsync();
        Assert.That(app.Log, Does.Contain(" error ").And.Contain("storing a streamed reply").And.Contain("handling a request"));
        Assert.That(app.Log, Does.Not.Contain(Secret));

        static void IsInternal(Reply reply)
        {
            reply.IsError(500, "server_error", "internal_error");
            Assert.That(Text(reply.Json.GetProperty("error"), "message"), Is.EqualTo("internal error"));
        }
    }

    [Test]
    public async Task What_the_upstream_says_of_a_prompt_is_in_no_log_line()
    {
        using FaultyUpstream upstream = new(peer =>
        {
            while (true)
            {
                string request = peer.ReadRequest();
                peer.Send(request.Contains("\"stream\":true", StringComparison.Ordinal)
                    ? Answer(200, $"data: {{\"choices\":[{{\"delta\":{{\"content\":\"{Secret}\"}}}}]}}\n\ndata: {{\"{Secret}\n\n", type: "text/event-stream")
                    : Answer(400, $$$"""{"error":{"message":"not of {{{Secret}}}","code":"{{{Secret}}}"}}"""));
            }
        });
        await StartOnAsync(upstream.EndPoint, static options => options with { LogLevel = LogLevel.Debug });
        TestApp app = App;
        string chat = await ChatAsync();
        await using StreamClient stream = await OpenAsync(StreamKind.WebSocket, chat, Member);
        (await App.FormAsync("/chat/prompt", $"id={chat}&prompt={Secret}", Owner.Token)).IsError(400, "upstream_error", Secret);
        await PromptAsync(Owner, chat, Secret, "&stream=true");
        while ((await stream.NextAsync()).GetProperty("partial").GetBoolean()) { }
        await App.GetAsync($"/chat/prompt?prompt={Secret}", Owner.Token);
        await stream.DisposeAsync();
        await StopAppAsync();
        Assert.That(app.Log, Does.Contain("POST /chat/prompt 400").And.Not.Contain(Secret));
    }
}
