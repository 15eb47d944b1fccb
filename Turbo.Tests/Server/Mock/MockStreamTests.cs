using System.Text.Json;
using Turbo.Server.Mock;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Mock;

internal sealed class MockStreamTests : MockFixture
{
    private const string Chat = "/v1/chat/completions";
    private const string Prompt = """{"model":"m","stream":true,"messages":[{"role":"user","content":"two words"}]}""";

    private readonly ManualTimeProvider _time = new(DateTimeOffset.FromUnixTimeSeconds(1_800_000_000));

    protected override MockOptions Options => new() { TimeProvider = _time };

    [Test]
    public void A_chat_stream_byte_for_byte()
    {
        RawResponse response = Post(Chat, """{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"x"}]}""", "X-Mock-Words: 2\r\nX-Mock-Interval: 0\r\n");
        Assert.That(response.Field("Content-Type"), Is.EqualTo("text/event-stream; charset=utf-8"));
        Assert.That(response.Field("Cache-Control"), Is.EqualTo("no-cache"));
        const string head = """data: {"id":"chatcmpl-mock-1","object":"chat.completion.chunk","created":1800000000,"model":"m","system_fingerprint":"fp_mock","choices":""";
        Assert.That(response.Text, Is.EqualTo(
            head + """[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null}""" + "\n\n" +
            head + """[{"index":0,"delta":{"content":"Reply"},"logprobs":null,"finish_reason":null}],"usage":null}""" + "\n\n" +
            head + """[{"index":0,"delta":{"content":" to"},"logprobs":null,"finish_reason":null}],"usage":null}""" + "\n\n" +
            head + """[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null}""" + "\n\n" +
            head + """[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}""" + "\n\n" +
            "data: [DONE]\n\n"));
    }

    [Test]
    public void Each_event_is_a_chunk_sent_when_it_is_due()
    {
        using RawClient client = Connect();
        client.Send(Request(Chat, Prompt, "X-Mock-Interval: 1000\r\nX-Mock-Words: 2\r\n"));
        client.ReadHead();
        Assert.That(Event(client), Does.Contain("\"role\":\"assistant\""));
        foreach (string word in new[] { "\"Reply\"", "\" to\"" })
        {
            Assert.That(client.IsQuiet);
            _time.Advance(TimeSpan.FromMilliseconds(999));
            Assert.That(client.IsQuiet);
            _time.Advance(TimeSpan.FromMilliseconds(1));
            Assert.That(Event(client), Does.Contain($"\"content\":{word}"));
        }
        Assert.That(Event(client), Does.Contain("\"finish_reason\":\"stop\""));
        Assert.That(Event(client), Is.EqualTo("data: [DONE]\n\n"));
        Assert.That(client.Take(5), Is.EqualTo("0\r\n\r\n"u8.ToArray()));
    }

    [Test]
    public async Task The_delay_comes_before_the_first_byte()
    {
        using RawClient client = Connect();
        DateTimeOffset start = _time.GetUtcNow();
        client.Send(Request(Chat, Prompt, "X-Mock-Delay: 500\r\nX-Mock-Interval: 0\r\n"));
        await Until.TrueAsync(() =>
        {
            _time.Advance(TimeSpan.FromMilliseconds(10));
            return !client.IsQuiet;
        });
        Assert.That(_time.GetUtcNow() - start, Is.GreaterThanOrEqualTo(TimeSpan.FromMilliseconds(500)));
        Assert.That(client.Read().Status, Is.EqualTo(200));
    }

    [Test]
    public void Responses_events_have_names_and_numbers()
    {
        RawResponse response = Post("/v1/responses", """{"model":"m","stream":true,"input":"x"}""", "X-Mock-Words: 2\r\nX-Mock-Interval: 0\r\n");
        string[] events = response.Text.Split("\n\n");
        Assert.That(events[^1], Is.Empty);
        string[] expected =
        [
            "response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
            "response.output_text.delta", "response.output_text.delta", "response.output_text.done",
            "response.content_part.done", "response.output_item.done", "response.completed",
        ];
        Assert.That(events[..^1].Select(static e => e.Split('\n')[0]), Is.EqualTo(expected.Select(static name => "event: " + name)));
        for (int i = 0; i < expected.Length; i++)
        {
            JsonElement data = JsonDocument.Parse(events[i].Split('\n')[1]["data: ".Length..]).RootElement;
            Assert.That(data.GetProperty("type").GetString(), Is.EqualTo(expected[i]));
            Assert.That(data.GetProperty("sequence_number").GetInt32(), Is.EqualTo(i));
        }
    }

    [Test]
    public async Task A_client_that_leaves_a_silent_stream_ends_it([Values] bool byReset)
    {
        RawClient client = Connect();
        client.Send(Request(Chat, Prompt, "X-Mock-Interval: 1000\r\n"));
        client.ReadHead();
        Event(client);
        Assert.That(Mock.Stats.Active, Is.EqualTo(1));
        Leave(client, byReset);
        // The clock stands still: nothing but the close can end it.
        await Until.TrueAsync(() => Mock.Stats.Active == 0);
        Assert.That(Mock.Stats.Cancelled, Is.EqualTo(1));
    }

    [Test]
    public async Task A_client_that_leaves_before_the_first_byte_ends_the_wait([Values] bool byReset)
    {
        RawClient client = Connect();
        client.Send(Request(Chat, Prompt, "X-Mock-Delay: 1000\r\n"));
        await Until.TrueAsync(() => Mock.Stats.Active == 1);
        Leave(client, byReset);
        await Until.TrueAsync(() => Mock.Stats.Active == 0);
        Assert.That(Mock.Stats.Cancelled, Is.EqualTo(1));
    }

    [Test]
    public async Task A_client_that_leaves_a_burst_ends_it([Values] bool byReset)
    {
        RawClient client = Connect();
        client.Send(Request(Chat, Prompt, "X-Mock-Interval: 0\r\nX-Mock-Words: 1000000\r\n"));
        client.ReadHead();
        Leave(client, byReset);
        await Until.TrueAsync(() => Mock.Stats.Active == 0);
        Assert.That(Mock.Stats.Cancelled, Is.EqualTo(1));
        Assert.That(Mock.Stats.Events, Is.LessThan(1_000_000));
    }

    [Test]
    public async Task A_client_that_leaves_a_download_ends_it()
    {
        RawClient client = Connect();
        client.Send(Request("/v1/audio/speech", """{"model":"tts-1","voice":"v","input":"x"}""", "X-Mock-Bytes: 1099511627776\r\n"));
        client.ReadHead();
        client.Drop(1 << 20);
        client.Dispose();
        await Until.TrueAsync(() => Mock.Stats.Active == 0);
        Assert.That(Mock.Stats.Cancelled, Is.EqualTo(1));
    }

    [Test]
    public async Task A_stream_breaks_off_where_asked()
    {
        using RawClient client = Connect();
        client.Send(Request(Chat, Prompt, "X-Mock-Break: 3\r\nX-Mock-Interval: 0\r\n"));
        byte[] received = client.ExpectReset();
        Assert.That(System.Text.Encoding.UTF8.GetString(received), Does.Not.Contain("[DONE]"));
        await Until.TrueAsync(() => Mock.Stats.Active == 0);
        Assert.That(Mock.Stats.Events, Is.EqualTo(3));
        Assert.That(Mock.Stats.Cancelled, Is.Zero);
    }

    [Test]
    public void A_connection_serves_one_stream_after_another()
    {
        using RawClient client = Connect();
        for (int i = 1; i <= 3; i++)
        {
            RawResponse response = client.Send(Request(Chat, Prompt, "X-Mock-Interval: 0\r\n")).Read();
            Assert.That(response.Text, Does.StartWith($"data: {{\"id\":\"chatcmpl-mock-{i}\"").And.EndsWith("data: [DONE]\n\n"));
        }
    }

    private static void Leave(RawClient client, bool byReset)
    {
        if (byReset) client.Reset();
        else client.Dispose();
    }

    // One chunk of the response.
    private static string Event(RawClient client)
    {
        string size = "";
        while (!size.EndsWith("\r\n", StringComparison.Ordinal)) size += (char)client.Take(1)[0];
        byte[] chunk = client.Take(Convert.ToInt32(size[..^2], 16) + 2);
        Assert.That(chunk[^2..], Is.EqualTo("\r\n"u8.ToArray()));
        return System.Text.Encoding.UTF8.GetString(chunk[..^2]);
    }
}
