using System.Text.Json;
using Turbo.Tests.Support;

namespace Turbo.Tests.Conformance;

/// <summary>What the page needs beyond the contract's routes: one's own events and usage, and whom a username belongs to.</summary>
internal sealed class OwnEventsTests(DatabaseKind kind) : PromptFixture(kind)
{
    [Test]
    public async Task Events_and_usage_are_ones_own()
    {
        await StartAsync();
        string chat = await ChatAsync();
        await PromptAsync(Owner, chat, "one two three");
        await PromptAsync(Member, chat, "four");
        await App.GetAsync("/v1/nothing", Owner.Token);
        await App.App.Events.FlushAsync();

        JsonElement events = (await ReadAsync(Owner, "/event/index")).GetProperty("events");
        Assert.That(Texts(events, "Endpoint"), Is.EqualTo("/v1/nothing /chat/prompt"));
        Assert.That(Reply.Names(events[1]), Is.EqualTo(
            "ID Timestamp ClientIP Endpoint Status Message Duration Method Params UserID model prompt_tokens completion_tokens total_tokens ttfb"));
        Assert.That((Text(events[1], "UserID"), Text(events[1], "model"), events[1].GetProperty("Status").GetInt32()), Is.EqualTo((Owner.Id, "gpt-3.5-turbo", 200)));
        Assert.That(events[0].GetProperty("total_tokens").ValueKind, Is.EqualTo(JsonValueKind.Null));
        JsonElement rest = (await ReadAsync(Owner, $"/event/index?limit=1&before={Text(events[0], "ID")}")).GetProperty("events");
        Assert.That(Texts(rest, "Endpoint"), Is.EqualTo("/chat/prompt"));

        JsonElement usage = (await ReadAsync(Owner, "/usage/index?since=1h")).GetProperty("usage");
        Assert.That(usage.GetArrayLength(), Is.EqualTo(1));
        Assert.That(Reply.Names(usage[0]), Is.EqualTo("model calls prompt_tokens completion_tokens total_tokens"));
        Assert.That((Text(usage[0], "model"), usage[0].GetProperty("calls").GetInt64()), Is.EqualTo(("gpt-3.5-turbo", 1L)));
        Assert.That(usage[0].GetProperty("total_tokens").GetInt64(), Is.EqualTo(events[1].GetProperty("total_tokens").GetInt64()));
        Assert.That((await App.GetAsync("/usage/index", Stranger.Token)).Content, Is.EqualTo("""{"usage":[]}"""));
        Assert.That((await App.GetAsync("/event/index", Stranger.Token)).Content, Is.EqualTo("""{"events":[]}"""));

        foreach (string query in (string[])["limit=0", "limit=201", "limit=x"])
            (await App.GetAsync($"/event/index?{query}", Owner.Token)).IsError(400, "invalid_request_error", "invalid_parameter", "limit");
        foreach (string since in (string[])["0s", "367d", "x", "-1h"])
            (await App.GetAsync($"/usage/index?since={since}", Owner.Token)).IsError(400, "invalid_request_error", "invalid_parameter", "since");
    }

    [Test]
    public async Task A_username_leads_to_its_id_and_no_more()
    {
        await StartAsync();
        JsonElement user = (await ReadAsync(Owner, "/user/find?username=stranger")).GetProperty("user");
        Assert.That((Text(user, "id"), Text(user, "username"), user.GetProperty("groups").GetArrayLength()), Is.EqualTo((Stranger.Id, "stranger", 0)));
        (await App.GetAsync("/user/find?username=strange", Owner.Token)).IsError(404, "not_found_error", "user_not_found", "username");
        (await App.GetAsync("/user/find", Owner.Token)).IsError(400, "invalid_request_error", "missing_parameter", "username");
    }

    [Test]
    public async Task A_streamed_reply_is_counted_in_the_row_of_its_prompt()
    {
        await StartAsync();
        string chat = await ChatAsync();
        await using StreamClient stream = await StreamClient.OpenAsync(StreamKind.Sse, App, $"/chat/stream?id={chat}", Owner.Token);
        await PromptAsync(Owner, chat, "one two three", "&stream=true");
        while ((await stream.NextAsync()).GetProperty("partial").GetBoolean()) { }
        JsonElement events = await Until.DoneAsync(EventsAsync());
        Assert.That((events.GetArrayLength(), Text(events[0], "Endpoint"), Text(events[0], "model"), Text(events[0], "Message")), Is.EqualTo((1, "/chat/prompt", "gpt-3.5-turbo", "")));
        Assert.That((events[0].GetProperty("prompt_tokens").GetInt64(), events[0].GetProperty("total_tokens").GetInt64()), Is.EqualTo((3L, 10L)));
        JsonElement sum = (await ReadAsync(Owner, "/usage/index")).GetProperty("usage")[0];
        Assert.That((sum.GetProperty("calls").GetInt64(), sum.GetProperty("total_tokens").GetInt64()), Is.EqualTo((1L, 10L)));

        // The last word is published, and then the row is handed in.
        async Task<JsonElement> EventsAsync()
        {
            while (true)
            {
                await App.App.Events.FlushAsync();
                JsonElement found = (await ReadAsync(Owner, "/event/index")).GetProperty("events");
                if (found.GetArrayLength() > 0) return found;
            }
        }
    }
}
