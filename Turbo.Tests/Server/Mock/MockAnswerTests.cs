using System.Text.Json;
using Turbo.Server.Mock;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Mock;

internal sealed class MockAnswerTests : MockFixture
{
    private const string Chat = "/v1/chat/completions";

    private readonly List<string> _observed = [];

    protected override MockOptions Options => new()
    {
        MaxJsonBytes = 4096,
        TimeProvider = new ManualTimeProvider(DateTimeOffset.FromUnixTimeSeconds(1_800_000_000)),
        Observe = (exchange, content) => _observed.Add($"{System.Text.Encoding.ASCII.GetString(exchange.Path)} {System.Text.Encoding.UTF8.GetString(content.Span)}"),
    };

    [SetUp]
    public void Forget() => _observed.Clear();

    [Test]
    public void A_chat_completion_whole()
    {
        RawResponse response = Post(Chat, """{"model":"any","messages":[{"role":"system","content":"a b"},{"role":"user","content":"old"},{"role":"assistant","content":"reply"},{"role":"user","content":"what  \"now\" ü?"}]}""");
        Assert.That(response.Text, Is.EqualTo(
            """{"id":"chatcmpl-mock-1","object":"chat.completion","created":1800000000,"model":"any","system_fingerprint":"fp_mock","choices":[{"index":0,"message":{"role":"assistant","content":"Reply to 4 messages: what  \"now\" ü?","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":7,"total_tokens":14}}"""));
    }

    [Test]
    public void What_was_sent_is_shown_to_a_test()
    {
        const string sent = """{"model":"m","user":"dXNlcg==","messages":[{"role":"user","content":"x"}]}""";
        Post(Chat, sent);
        Assert.That(_observed, Is.EqualTo(new[] { $"{Chat} {sent}" }));
    }

    [TestCase("""[{"role":"user","content":[{"type":"text","text":"two "},{"type":"image_url","image_url":{"url":"x"}},{"type":"text","text":"parts"}]}]""", "Reply to 1 message: two parts", 2)]
    [TestCase("""[{"role":"user","content":"asked"},{"role":"assistant","content":null,"tool_calls":[{"id":"c"}]},{"role":"tool","content":"42"}]""", "Reply to 3 messages: asked", 2)]
    [TestCase("""[{"role":"system","content":"only this"}]""", "Reply to 1 message: only this", 2)]
    [TestCase("""[{"role":"user","content":""}]""", "Reply to 1 message:", 0)]
    [TestCase("""[{"role":"user","content":" spaced\n\tout "}]""", "Reply to 1 message:  spaced\n\tout", 2)]
    public void The_reply_says_what_came(string messages, string reply, int promptTokens)
    {
        JsonElement answer = Json(Post(Chat, $$"""{"messages":{{messages}},"model":"m"}"""));
        Assert.That(answer.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString(), Is.EqualTo(reply));
        Assert.That(answer.GetProperty("usage").GetProperty("prompt_tokens").GetInt32(), Is.EqualTo(promptTokens));
    }

    [TestCase("", "", "Reply to 1 message: x", "stop")]
    [TestCase("X-Mock-Words: 2\r\n", "", "Reply to", "stop")]
    [TestCase("X-Mock-Words: 15\r\n", "", "Reply to 1 message: x lorem ipsum dolor sit amet, consectetur adipiscing elit. lorem ipsum", "stop")]
    [TestCase("", ""","max_tokens":3""", "Reply to 1", "length")]
    [TestCase("X-Mock-Words: 9\r\n", ""","max_completion_tokens":7""", "Reply to 1 message: x lorem ipsum", "length")]
    [TestCase("", ""","max_tokens":5""", "Reply to 1 message: x", "stop")]
    public void The_reply_is_as_long_as_asked(string fields, string json, string reply, string finish)
    {
        JsonElement answer = Json(Post(Chat, $$"""{"model":"m","messages":[{"role":"user","content":"x"}]{{json}}}""", fields));
        JsonElement choice = answer.GetProperty("choices")[0];
        Assert.That(choice.GetProperty("message").GetProperty("content").GetString(), Is.EqualTo(reply));
        Assert.That(choice.GetProperty("finish_reason").GetString(), Is.EqualTo(finish));
        Assert.That(answer.GetProperty("usage").GetProperty("completion_tokens").GetInt32(), Is.EqualTo(reply.Split(' ').Length));
    }

    [TestCase("""{"model":"m","prompt":"tell me"}""")]
    [TestCase("""{"model":"m","prompt":["tell me"]}""")]
    public void A_completion_whole(string json)
    {
        JsonElement answer = Json(Post("/v1/completions", json));
        Assert.That(answer.GetProperty("object").GetString(), Is.EqualTo("text_completion"));
        Assert.That(answer.GetProperty("choices")[0].GetProperty("text").GetString(), Is.EqualTo("Reply to 1 message: tell me"));
    }

    [TestCase("""{"model":"m","input":"tell me"}""", "Reply to 1 message: tell me")]
    [TestCase("""{"model":"m","instructions":"be kind","input":[{"role":"user","content":[{"type":"input_text","text":"tell me"}]}]}""", "Reply to 2 messages: tell me")]
    public void A_response_whole(string json, string reply)
    {
        JsonElement answer = Json(Post("/v1/responses", json));
        Assert.That(answer.GetProperty("status").GetString(), Is.EqualTo("completed"));
        Assert.That(answer.GetProperty("output")[0].GetProperty("content")[0].GetProperty("text").GetString(), Is.EqualTo(reply));
        Assert.That(answer.GetProperty("usage").GetProperty("output_tokens").GetInt32(), Is.EqualTo(reply.Split(' ').Length));
    }

    [Test]
    public void A_response_cut_short_says_so()
    {
        JsonElement answer = Json(Post("/v1/responses", """{"model":"m","input":"tell me","max_output_tokens":2}"""));
        Assert.That(answer.GetProperty("status").GetString(), Is.EqualTo("incomplete"));
        Assert.That(answer.GetProperty("incomplete_details").GetProperty("reason").GetString(), Is.EqualTo("max_output_tokens"));
    }

    [Test]
    public void Embeddings_depend_on_the_input_alone()
    {
        float[][] vectors = Floats(Json(Post("/v1/embeddings", """{"model":"m","input":["a","b","a"],"dimensions":3}""")));
        Assert.That(vectors, Has.Length.EqualTo(3));
        Assert.That(vectors[0], Has.Length.EqualTo(3).And.EqualTo(vectors[2]).And.Not.EqualTo(vectors[1]));
        Assert.That(vectors[0].Sum(static v => (double)v * v), Is.EqualTo(1).Within(1e-6));
        Assert.That(Floats(Json(Post("/v1/embeddings", """{"model":"m","input":"a","dimensions":3}""")))[0], Is.EqualTo(vectors[0]));

        JsonElement packed = Json(Post("/v1/embeddings", """{"model":"m","input":"a","dimensions":3,"encoding_format":"base64"}"""));
        byte[] bytes = packed.GetProperty("data")[0].GetProperty("embedding").GetBytesFromBase64();
        Assert.That(System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(bytes).ToArray(), Is.EqualTo(vectors[0]));

        static float[][] Floats(JsonElement answer) =>
            [.. answer.GetProperty("data").EnumerateArray().Select(static d => d.GetProperty("embedding").EnumerateArray().Select(static v => v.GetSingle()).ToArray())];
    }

    [TestCase("[1,2,3]", 1, 3)]
    [TestCase("[[1,2],[3]]", 2, 3)]
    [TestCase("\"three small words\"", 1, 3)]
    public void Embeddings_of_texts_and_tokens(string input, int vectors, int tokens)
    {
        JsonElement answer = Json(Post("/v1/embeddings", $$"""{"model":"m","input":{{input}}}"""));
        Assert.That(answer.GetProperty("data").GetArrayLength(), Is.EqualTo(vectors));
        Assert.That(answer.GetProperty("data")[0].GetProperty("embedding").GetArrayLength(), Is.EqualTo(1536));
        Assert.That(answer.GetProperty("usage").GetProperty("total_tokens").GetInt32(), Is.EqualTo(tokens));
    }

    [Test]
    public void Many_embeddings_are_sent_as_they_are_made()
    {
        string inputs = string.Join(',', Enumerable.Range(0, 100).Select(static i => $"\"{i}\""));
        RawResponse response = Post("/v1/embeddings", $$"""{"model":"m","input":[{{inputs}}]}""");
        Assert.That(response.Field("Transfer-Encoding"), Is.EqualTo("chunked"));
        Assert.That(Json(response).GetProperty("data").EnumerateArray().Select(static d => d.GetProperty("index").GetInt32()), Is.EqualTo(Enumerable.Range(0, 100)));
    }

    [TestCase(0)]
    [TestCase(1)]
    [TestCase(300_001)]
    public void Audio_is_exactly_its_formula(int bytes)
    {
        RawResponse response = Post("/v1/audio/speech", """{"model":"tts-1","voice":"v","input":"x","response_format":"wav"}""", $"X-Mock-Bytes: {bytes}\r\n");
        Assert.That(response.Field("Content-Type"), Is.EqualTo("audio/wav"));
        Assert.That(response.Field("Content-Length"), Is.EqualTo($"{bytes}"));
        Assert.That(response.Body.SequenceEqual(Enumerable.Range(0, bytes).Select(static i => Audio.ByteAt(i))));
    }

    [Test]
    public void Models_are_listed_and_read()
    {
        JsonElement list = Json(Get("/v1/models"));
        string?[] ids = [.. list.GetProperty("data").EnumerateArray().Select(static m => m.GetProperty("id").GetString())];
        Assert.That(ids, Has.Length.GreaterThan(3).And.Contains("gpt-4o"));
        foreach (string? id in ids) Assert.That(Json(Get($"/v1/models/{id}")).GetProperty("id").GetString(), Is.EqualTo(id));
        Assert.That(Error(Get("/v1/models/n%6Fpe"), 404).GetProperty("code").GetString(), Is.EqualTo("model_not_found"));
    }

    [TestCase("{", null)]
    [TestCase("[]", null)]
    [TestCase("""{"model":"m","messages":[{"role":"user","content":"x"}]} x""", null)]
    [TestCase("""{"model":"m","messages":[{"role":"user","content":"\ud800"}]}""", null)]
    [TestCase("""{"messages":[{"role":"user","content":"x"}]}""", "model")]
    [TestCase("""{"model":5,"messages":[]}""", "model")]
    [TestCase("""{"model":"m"}""", "messages")]
    [TestCase("""{"model":"m","messages":[]}""", "messages")]
    [TestCase("""{"model":"m","messages":"x"}""", "messages")]
    [TestCase("""{"model":"m","messages":["x"]}""", "messages")]
    [TestCase("""{"model":"m","messages":[{"role":"user","content":"x"},{"role":"user","content":{}}]}""", "messages[1].content")]
    [TestCase("""{"model":"m","messages":[{"role":"user","content":"x"}],"stream":"yes"}""", "stream")]
    [TestCase("""{"model":"m","messages":[{"role":"user","content":"x"}],"n":2}""", "n")]
    [TestCase("""{"model":"m","messages":[{"role":"user","content":"x"}],"max_tokens":0}""", "max_tokens")]
    public void A_bad_chat_request_names_the_field(string json, string? param)
    {
        JsonElement error = Error(Post(Chat, json), 400);
        Assert.That(error.GetProperty("type").GetString(), Is.EqualTo("invalid_request_error"));
        Assert.That(error.GetProperty("param").GetString(), Is.EqualTo(param));
    }

    [TestCase("""{"model":"m","input":[]}""")]
    [TestCase("""{"model":"m","input":[1,"x"]}""")]
    [TestCase("""{"model":"m","input":[[]]}""")]
    [TestCase("""{"model":"m","input":[-1]}""")]
    [TestCase("""{"model":"m"}""")]
    public void A_bad_embedding_input_is_refused(string json) =>
        Assert.That(Error(Post("/v1/embeddings", json), 400).GetProperty("param").GetString(), Is.EqualTo("input"));

    [Test]
    public void A_request_is_bounded()
    {
        string fits = """{"model":"m","messages":[{"role":"user","content":"x"}]}""".PadRight(4096);
        Assert.That(Post(Chat, fits).Status, Is.EqualTo(200));
        Error(Post(Chat, fits + " "), 413);
    }

    [TestCase("Bearer sk-invalid", 401)]
    [TestCase("bearer  sk-invalid-key", 401)]
    [TestCase("Bearer sk-valid", 200)]
    [TestCase("Basic sk-invalid", 200)]
    public void A_key_that_says_so_is_invalid(string authorization, int status)
    {
        RawResponse response = Get("/v1/models", $"Authorization: {authorization}\r\n");
        Assert.That(response.Status, Is.EqualTo(status));
        if (status == 401) Assert.That(Error(response, 401).GetProperty("code").GetString(), Is.EqualTo("invalid_api_key"));
    }

    [TestCase(400)]
    [TestCase(404)]
    [TestCase(429)]
    [TestCase(500)]
    [TestCase(599)]
    public void An_error_on_demand(int status)
    {
        using RawClient client = Connect();
        RawResponse response = client.Send(Request(Chat, "not even JSON", $"X-Mock-Status: {status}\r\n")).Read();
        Assert.That(Error(response, status).GetProperty("message").GetString(), Is.Not.Empty);
        Assert.That(response.Field("Retry-After"), Is.EqualTo(status == 429 ? "1" : null));
        // The request was read to its end: the connection goes on.
        Assert.That(client.Exchange("GET /v1/models HTTP/1.1\r\nHost: mock\r\n\r\n").Status, Is.EqualTo(200));
    }

    [TestCase("X-Mock-Delay: -1")]
    [TestCase("X-Mock-Delay: 600001")]
    [TestCase("X-Mock-Interval: 1.5")]
    [TestCase("X-Mock-Words: 0")]
    [TestCase("X-Mock-Words: 10x")]
    [TestCase("X-Mock-Bytes: 99999999999999999999")]
    [TestCase("X-Mock-Status: 200")]
    [TestCase("X-Mock-Break: ")]
    public void A_field_out_of_bounds_is_refused(string field) =>
        Assert.That(Error(Get("/v1/models", field + "\r\n"), 400).GetProperty("param").GetString(), Is.EqualTo(field[..field.IndexOf(':')]));

    [Test]
    public void Unknown_paths_and_methods()
    {
        Error(Get("/v2"), 404);
        RawResponse response = Get(Chat);
        Error(response, 405);
        Assert.That(response.Field("Allow"), Is.EqualTo("POST"));
    }

    [Test]
    public void Requests_are_counted()
    {
        Get("/v1/models");
        Get("/nope");
        Get("/mock/stats");
        Assert.That(Get("/mock/stats").Text, Is.EqualTo("""{"requests":2,"active":0,"cancelled":0,"events":0,"uploaded_bytes":0}"""));
    }
}
