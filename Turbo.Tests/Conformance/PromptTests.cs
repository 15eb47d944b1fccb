using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Turbo.Server;
using Turbo.Server.Model;
using Turbo.Tests.Support;

namespace Turbo.Tests.Conformance;

/// <summary>Contract section 6, the prompt: what goes upstream, what comes back, what is kept.</summary>
internal sealed class PromptTests(DatabaseKind kind) : PromptFixture(kind)
{
    [Test]
    public async Task The_answer_is_the_message_and_its_reply()
    {
        await StartAsync(options => options with { OpenAiApiKey = "sk-server" });
        string chat = await ChatAsync();
        JsonElement answer = await PromptAsync(Member, chat, "héllo ☃ \"𝄞\"");
        Assert.That(Reply.Names(answer), Is.EqualTo("message reply"));
        JsonElement message = answer.GetProperty("message");
        Assert.That(Reply.Names(message), Is.EqualTo(MessageNames));
        const string reply = "Reply to 1 message: héllo ☃ \"𝄞\"";
        Assert.That((Text(answer, "reply"), Text(message, "reply"), Text(message, "prompt")), Is.EqualTo((reply, reply, "héllo ☃ \"𝄞\"")));
        Assert.That((Text(message, "chat_id"), Text(message, "user_id"), Text(message, "model")), Is.EqualTo((chat, Member.Id, "gpt-3")));
        Assert.That(Text(message, "group_id"), Is.EqualTo(Text((await ReadAsync(Owner, $"/chat/read?id={chat}")).GetProperty("chat"), "group_id")));
        Assert.That(message.GetProperty("otr").GetBoolean(), Is.False);
        Assert.That((await StoredAsync(chat)).ToString(), Is.EqualTo($"[{message}]"));

        JsonElement sent = Sent.Single();
        Assert.That(Reply.Names(sent), Is.EqualTo("model messages user"));
        Assert.That((Text(sent, "model"), Turns(sent)), Is.EqualTo(("gpt-3.5-turbo", "user: héllo ☃ \"𝄞\"")));
        Assert.That(Text(sent, "user"), Is.EqualTo(Convert.ToBase64String(Encoding.UTF8.GetBytes($"{Member.Id}-{chat}"))));
    }

    [Test]
    public async Task The_request_has_the_servers_key_and_the_upstreams_path()
    {
        string? head = null;
        using FaultyUpstream upstream = new(peer =>
        {
            head = peer.ReadRequest();
            peer.Send(Completed("ok"));
        });
        await StartOnAsync(upstream.EndPoint, options => options with { OpenAiApiKey = "sk-server", Upstream = options.Upstream with { PathPrefix = "/team/a"u8.ToArray() } });
        await PromptAsync(Owner, await ChatAsync(), "x");
        Assert.That(head, Does.StartWith("POST /team/a/v1/chat/completions HTTP/1.1\r\n"));
        Assert.That(head, Does.Contain($"\r\nHost: 127.0.0.1:{upstream.Port}\r\n").And.Contain("\r\nAuthorization: Bearer sk-server\r\n"));
        Assert.That(head, Does.Not.Contain(Owner.Token!));
    }

    [Test]
    public async Task Earlier_exchanges_go_along_oldest_first()
    {
        await StartAsync();
        string chat = await ChatAsync(), other = await ChatAsync();
        await PromptAsync(Owner, chat, "one");
        await PromptAsync(Owner, other, "elsewhere");
        await PromptAsync(Member, chat, "two");
        await PromptAsync(Owner, chat, "three");
        Assert.That(Turns(Sent[^1]), Is.EqualTo("""
            user: one
            assistant: Reply to 1 message: one
            user: two
            assistant: Reply to 3 messages: two
            user: three
            """));
        Assert.That(Text(Sent[^1], "user"), Is.EqualTo(Convert.ToBase64String(Encoding.UTF8.GetBytes($"{Owner.Id}-{chat}"))));
    }

    [TestCase("", "b c d")]
    [TestCase("&context=", "b c d")]
    [TestCase("&context=0", "d")]
    [TestCase("&context=1", "c d")]
    [TestCase("&context=2", "b c d")]
    [TestCase("&context=99", "b c d")]
    public async Task Context_is_how_many(string field, string expected)
    {
        await StartAsync(options => options with { ChatContext = 2 });
        // From the cache, which the prompts before have filled, and from the table, which is all that they have left.
        foreach (bool isCached in new[] { true, false })
        {
            string chat = await ChatAsync();
            foreach (string prompt in new[] { "a", "b", "c" }) await PromptAsync(Owner, chat, prompt, isCached ? "" : "&context=0");
            Assert.That(await App.App.Cache.ReadListAsync("context:" + chat), isCached ? Is.Not.Null : Is.Null);
            await PromptAsync(Owner, chat, "d", field);
            Assert.That(Prompted(Sent[^1]), Is.EqualTo(expected), $"cached: {isCached}");
            Assert.That(await StoredPromptsAsync(chat), Is.EqualTo("a b c d"));
        }
    }

    [Test]
    public async Task The_oldest_go_first_when_the_text_is_too_long()
    {
        // A reply is "Reply to 1 message: " and the prompt, so an exchange of a 10 character prompt has 40 bytes.
        await StartAsync(options => options with { ChatContextBytes = 80 });
        string chat = await ChatAsync();
        foreach (char prompt in "abc") await PromptAsync(Owner, chat, new string(prompt, 10), "&context=0");
        await PromptAsync(Owner, chat, "d");
        Assert.That(Prompted(Sent[^1]), Is.EqualTo("bbbbbbbbbb cccccccccc d"), "exactly as many bytes as may be");
        await PromptAsync(Owner, chat, new string('ü', 11), "&context=0");
        await PromptAsync(Owner, chat, "e");
        Assert.That(Prompted(Sent[^1]), Is.EqualTo(new string('ü', 11) + " e"), "bytes count, not characters");
        await PromptAsync(Owner, chat, new string('x', 31), "&context=0");
        await PromptAsync(Owner, chat, "f");
        Assert.That(Prompted(Sent[^1]), Is.EqualTo("f"), "one that is too long alone goes too, and no older one is taken for it");
    }

    [Test]
    public async Task Off_the_record_is_stored_and_never_sent()
    {
        await StartAsync();
        string chat = await ChatAsync();
        JsonElement answer = await PromptAsync(Owner, chat, "secret", "&otr=true");
        Assert.That(Reply.Names(answer), Is.EqualTo("message reply"));
        Assert.That((Text(answer, "reply"), Text(answer.GetProperty("message"), "reply"), answer.GetProperty("message").GetProperty("otr").GetBoolean()), Is.EqualTo(("", "", true)));
        Assert.That(Sent, Is.Empty);
        Assert.That((await StoredAsync(chat)).ToString(), Is.EqualTo($"[{answer.GetProperty("message")}]"));
        await PromptAsync(Owner, chat, "two");
        await PromptAsync(Owner, chat, "again", "&otr=1&stream=1");
        await PromptAsync(Owner, chat, "three");
        Assert.That(Prompted(Sent[^1]), Is.EqualTo("two three"));
        await App.App.Cache.DeleteAsync("context:" + chat);
        await PromptAsync(Owner, chat, "four");
        Assert.That(Prompted(Sent[^1]), Is.EqualTo("two three four"));
        Assert.That(await StoredPromptsAsync(chat), Is.EqualTo("secret two again three four"));
    }

    [Test]
    public async Task Context_is_rebuilt_from_the_table()
    {
        await StartAsync();
        string chat = await ChatAsync();
        foreach (string prompt in new[] { "one ☃", "two" }) await PromptAsync(Owner, chat, prompt);
        Assert.That(await App.App.Cache.DeleteAsync("context:" + chat));
        await PromptAsync(Owner, chat, "three");
        await PromptAsync(Owner, chat, "four");
        Assert.That(Turns(Sent[^2]), Is.EqualTo("user: one ☃\nassistant: Reply to 1 message: one ☃\nuser: two\nassistant: Reply to 3 messages: two\nuser: three"));
        Assert.That(Turns(Sent[^1]), Is.EqualTo(Turns(Sent[^2]) + "\nassistant: Reply to 5 messages: three\nuser: four"));
    }

    [Test]
    public async Task Two_prompts_at_once_both_keep_their_exchange([Values] bool isCached)
    {
        using CountdownEvent waiting = new(2);
        using ManualResetEventSlim second = new();
        List<string> sent = [];
        using FaultyUpstream upstream = new(peer =>
        {
            while (true)
            {
                string request = peer.ReadRequest();
                lock (sent) sent.Add(request[request.IndexOf("\r\n\r\n", StringComparison.Ordinal)..]);
                bool isSlow = request.Contains("\"slow\"}],\"user\"", StringComparison.Ordinal), isQuick = request.Contains("\"quick\"}],\"user\"", StringComparison.Ordinal);
                // Both are upstream before either ends, and the one that was asked first ends last.
                if (isSlow || isQuick)
                {
                    waiting.Signal();
                    Assert.That(waiting.Wait(Until.Deadline));
                }
                if (isSlow) Assert.That(second.Wait(Until.Deadline));
                peer.Send(Completed(isSlow ? "slow reply" : isQuick ? "quick reply" : "reply"));
            }
        });
        await StartOnAsync(upstream.EndPoint);
        string chat = await ChatAsync();
        if (isCached) await PromptAsync(Owner, chat, "first");
        Task<JsonElement> slow = PromptAsync(Owner, chat, "slow");
        await Until.TrueAsync(() => waiting.CurrentCount == 1);
        JsonElement quick = await PromptAsync(Member, chat, "quick");
        second.Set();
        await Until.DoneAsync(slow);
        Assert.That((Text(quick, "reply"), Text(await slow, "reply")), Is.EqualTo(("quick reply", "slow reply")));

        await PromptAsync(Owner, chat, "last");
        string first = isCached ? """{"role":"user","content":"first"},{"role":"assistant","content":"reply"},""" : "";
        Assert.That(sent[^1], Does.Contain($$"""
            "messages":[{{first}}{"role":"user","content":"slow"},{"role":"assistant","content":"slow reply"},{"role":"user","content":"quick"},{"role":"assistant","content":"quick reply"},{"role":"user","content":"last"}]
            """));
        Assert.That(await StoredPromptsAsync(chat), Is.EqualTo((isCached ? "first " : "") + "slow quick last"));
    }

    [TestCase("gpt-3", "gpt-3.5-turbo")]
    [TestCase("gpt-4", "gpt-4")]
    [TestCase("house", "llama-3")]
    [TestCase("modèle ☃", "modèle ☃")]
    public async Task A_model_is_sent_as_it_is_or_as_its_alias_says(string model, string sent)
    {
        StartMock();
        Assert.That(AppOptions.TryRead(name => name == "MODEL_ALIASES" ? "house=llama-3" : null, out AppOptions? read, out _));
        await StartAppAsync(options => options with { Upstream = UpstreamTarget.At(Mock.EndPoints[0]), ModelAliases = read!.ModelAliases });
        await SignUpAllAsync();
        JsonElement answer = await PromptAsync(Owner, await ChatAsync($"model={Uri.EscapeDataString(model)}"), "x");
        Assert.That((Text(Sent.Single(), "model"), Text(answer.GetProperty("message"), "model")), Is.EqualTo((sent, model)));
    }

    [TestCase(400, """{"error":{"message":"no such model","type":"invalid_request_error","param":"model","code":"model_not_found"}}""", "no such model", "model", "model_not_found")]
    [TestCase(401, """{"error":{"message":"bad key","type":"x","param":null,"code":"invalid_api_key"}}""", "bad key", null, "invalid_api_key")]
    [TestCase(404, """{"error":"no such model"}""", "no such model", null, "upstream_error")]
    [TestCase(429, """{"error":{"message":"slow down"}}""", "slow down", null, "upstream_error")]
    [TestCase(500, "oops", "the upstream server answered with status 500", null, "upstream_error")]
    [TestCase(503, """{"error":{"message":7,"code":3}}""", "7", null, "3")]
    [TestCase(418, """{"error":[1]}""", "the upstream server answered with status 418", null, "upstream_error")]
    [TestCase(599, "", "the upstream server answered with status 599", null, "upstream_error")]
    public async Task An_upstream_refusal_is_the_callers_and_leaves_nothing(int status, string content, string message, string? param, string code)
    {
        using FaultyUpstream upstream = new(peer =>
        {
            peer.ReadRequest();
            peer.Send(Answer(status, content, status == 429 ? "Retry-After: 7\r\n" : ""));
        });
        await StartOnAsync(upstream.EndPoint);
        string chat = await ChatAsync();
        Reply reply = await App.FormAsync("/chat/prompt", $"id={chat}&prompt=x", Owner.Token);
        reply.IsError(status, "upstream_error", code, param);
        Assert.That(Text(reply.Json.GetProperty("error"), "message"), Is.EqualTo(message));
        if (status == 429) Assert.That(reply.Field("Retry-After"), Is.EqualTo("7"));
        Assert.That((await StoredAsync(chat)).ToString(), Is.EqualTo("[]"));
    }

    [TestCase("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 502)]
    [TestCase("HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{\"choices\":[]}", 502)]
    [TestCase("HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{\"choices\":7}", 502)]
    [TestCase("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nnot JSON!", 502)]
    [TestCase("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"choices\":[", 502)]
    [TestCase("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", 502)]
    [TestCase("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", 502)]
    [TestCase("nonsense\r\n\r\n", 502)]
    [TestCase("", 502)]
    [TestCase(null, 504)]
    public async Task An_upstream_that_gives_no_reply_is_502_or_504(string? wire, int status)
    {
        using FaultyUpstream upstream = new(peer =>
        {
            peer.ReadRequest();
            if (wire is null) peer.WaitForEnd();
            else peer.Send(wire).Close();
        });
        await StartOnAsync(upstream.EndPoint, options => options with { FirstByteTimeout = TimeSpan.FromMilliseconds(300) });
        string chat = await ChatAsync();
        (await App.FormAsync("/chat/prompt", $"id={chat}&prompt=x", Owner.Token)).IsError(status, "upstream_error", "upstream_error");
        Assert.That((await StoredAsync(chat)).ToString(), Is.EqualTo("[]"));
    }

    [Test]
    public async Task An_upstream_that_is_not_there_is_502()
    {
        using Socket closed = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        closed.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        await StartOnAsync((IPEndPoint)closed.LocalEndPoint!);
        (await App.FormAsync("/chat/prompt", $"id={await ChatAsync()}&prompt=x", Owner.Token)).IsError(502, "upstream_error", "upstream_error");
    }

    [Test]
    public async Task A_reply_is_bounded()
    {
        await StartAsync(options => options with { ChatReplyBytes = 2048 });
        string chat = await ChatAsync();
        Assert.That((await App.FormAsync("/chat/prompt", $"id={chat}&prompt={new string('x', 1000)}", Owner.Token)).Status, Is.EqualTo(200));
        (await App.FormAsync("/chat/prompt", $"id={chat}&prompt={new string('x', 2048)}", Owner.Token)).IsError(502, "upstream_error", "upstream_error");
    }

    [Test]
    public async Task A_refusal_of_the_models_is_the_reply_and_a_nul_is_not_kept()
    {
        using FaultyUpstream upstream = new(static peer =>
        {
            peer.ReadRequest();
            peer.Send(Answer(200, """{"choices":[{"message":{"content":null,"refusal":"I had\u0000better not"}}]}"""));
            peer.ReadRequest();
            peer.Send(Answer(200, """{"choices":[{"message":{"content":null}}]}"""));
        });
        await StartOnAsync(upstream.EndPoint);
        string chat = await ChatAsync();
        Assert.That(Text(await PromptAsync(Owner, chat, "x"), "reply"), Is.EqualTo("I had\uFFFDbetter not"));
        Assert.That(Text(await PromptAsync(Owner, chat, "x"), "reply"), Is.Empty);
    }

    [TestCase("""{"prompt":"x"}""", "missing_parameter", "id")]
    [TestCase("""{"id":"x"}""", "missing_parameter", "prompt")]
    [TestCase("""{"id":"x","prompt":""}""", "missing_parameter", "prompt")]
    [TestCase("""{"id":"x","prompt":["y"]}""", "invalid_parameter", "prompt")]
    [TestCase("""{"id":"x","prompt":"\u0000"}""", "invalid_parameter", "prompt")]
    [TestCase("""{"id":"x","prompt":"y","context":-1}""", "invalid_parameter", "context")]
    [TestCase("""{"id":"x","prompt":"y","context":1.5}""", "invalid_parameter", "context")]
    [TestCase("""{"id":"x","prompt":"y","context":"many"}""", "invalid_parameter", "context")]
    [TestCase("""{"id":"x","prompt":"y","stream":"yes"}""", "invalid_parameter", "stream")]
    [TestCase("""{"id":"x","prompt":"y","otr":2}""", "invalid_parameter", "otr")]
    public async Task A_bad_field_is_named(string json, string code, string param)
    {
        await StartAsync();
        (await App.JsonAsync("/chat/prompt", json, Owner.Token)).IsError(400, "invalid_request_error", code, param);
        Assert.That(Sent, Is.Empty);
    }

    [Test]
    public async Task The_fields_come_in_json_too()
    {
        await StartAsync();
        string chat = await ChatAsync();
        Reply reply = await App.JsonAsync("/chat/prompt", JsonSerializer.Serialize(new { chat_id = chat, prompt = "x", context = 0, stream = false, otr = true }), Owner.Token);
        Assert.That((reply.Status, reply.Json.GetProperty("message").GetProperty("otr").GetBoolean()), Is.EqualTo((200, true)), reply.Content);
    }

    [TestCase("")]
    [TestCase("&stream=true")]
    [TestCase("&otr=true")]
    public async Task A_chat_that_is_gone_takes_no_prompt(string fields)
    {
        await StartAsync();
        string chat = await ChatAsync();
        await DoneAsync(Owner, "/chat/delete", $"id={chat}");
        foreach (Caller caller in new[] { Owner, Member })
            IsDenied(await App.FormAsync("/chat/prompt", $"id={chat}&prompt=x{fields}", caller.Token), 404, "chat");
        Assert.That((await App.GetAsync("/chat/prompt", Owner.Token)).Field("Allow"), Is.EqualTo("POST"));
    }

    [TestCase("/chat/user/remove", "chat_id={C}&user_id={M}")]
    [TestCase("/chat/delete", "id={C}")]
    public async Task A_reply_for_one_who_lost_access_meanwhile_is_not_kept(string target, string form)
    {
        using SemaphoreSlim asked = new(0), answer = new(0);
        using FaultyUpstream upstream = new(peer =>
        {
            peer.ReadRequest();
            asked.Release();
            Assert.That(answer.Wait(Until.Deadline));
            peer.Send(Completed("too late"));
        });
        await StartOnAsync(upstream.EndPoint);
        string chat = await ChatAsync();
        Task<Reply> prompt = App.FormAsync("/chat/prompt", $"id={chat}&prompt=x", Member.Token);
        Assert.That(await asked.WaitAsync(Until.Deadline));
        await DoneAsync(Owner, target, form.Replace("{C}", chat).Replace("{M}", Member.Id));
        answer.Release();
        IsDenied(await Until.DoneAsync(prompt), 404, "chat");
        if (target == "/chat/user/remove") Assert.That((await StoredAsync(chat)).ToString(), Is.EqualTo("[]"));
    }

    [Test]
    public async Task A_client_that_leaves_ends_the_request_upstream_and_nothing_is_kept()
    {
        using SemaphoreSlim asked = new(0), ended = new(0);
        using FaultyUpstream upstream = new(peer =>
        {
            peer.ReadRequest();
            asked.Release();
            peer.WaitForEnd();
            ended.Release();
        });
        await StartOnAsync(upstream.EndPoint);
        string chat = await ChatAsync();
        using (RawClient client = App.Connect())
        {
            string form = $"id={chat}&prompt=x";
            client.Send($"POST /chat/prompt HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {Owner.Token}\r\nContent-Length: {form.Length}\r\n\r\n{form}");
            Assert.That(await asked.WaitAsync(Until.Deadline));
        }
        Assert.That(await ended.WaitAsync(Until.Deadline), "the upstream request went on");
        await Until.DoneAsync(Task.Run(async () =>
        {
            while ((await App.EventsAsync())[^1] is not { Endpoint: "/chat/prompt", Status: 499 }) await Task.Delay(5);
        }));
        Assert.That((await StoredAsync(chat)).ToString(), Is.EqualTo("[]"));
    }

    [Test]
    public async Task Usage_is_in_the_event_row()
    {
        await StartAsync();
        string chat = await ChatAsync("model=gpt-4");
        await PromptAsync(Owner, chat, "say hello");
        EventRecord row = (await App.EventsAsync())[^1];
        Assert.That((row.Endpoint, row.UserId, row.Model, row.PromptTokens, row.CompletionTokens, row.TotalTokens), Is.EqualTo(("/chat/prompt", Owner.Id, "gpt-4", 2L, 6L, 8L)));
    }

    [Test]
    public async Task Streamed_replies_are_bounded_in_number()
    {
        using SemaphoreSlim answer = new(0);
        using FaultyUpstream upstream = new(peer =>
        {
            while (true)
            {
                peer.ReadRequest();
                Assert.That(answer.Wait(Until.Deadline));
                peer.Send(Answer(200, "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n", type: "text/event-stream"));
            }
        });
        await StartOnAsync(upstream.EndPoint, options => options with { ChatStreams = 1 });
        string chat = await ChatAsync();
        await PromptAsync(Owner, chat, "one", "&stream=true");
        Reply busy = await App.FormAsync("/chat/prompt", $"id={chat}&prompt=two&stream=true", Owner.Token);
        busy.IsError(503, "server_error", "overloaded");
        Assert.That(busy.Field("Retry-After"), Is.EqualTo("1"));
        // One that is refused or off the record takes no place.
        IsDenied(await App.FormAsync("/chat/prompt", $"id={chat}&prompt=x&stream=true&otr=true", Owner.Token), 200, "chat");
        answer.Release(2);
        await Until.TrueAsync(() => App.App.Prompts.ComingCount == 0);
        IsDenied(await App.FormAsync("/chat/prompt", $"id={chat}&prompt=x&stream=true", Stranger.Token), 404, "chat");
        await PromptAsync(Owner, chat, "three", "&stream=true");
        await Until.TrueAsync(() => App.App.Prompts.ComingCount == 0);
        Assert.That(await StoredPromptsAsync(chat), Is.EqualTo("one x three"));
    }

    // The prompts of a request, without the replies.
    private static string Prompted(JsonElement request) =>
        string.Join(' ', request.GetProperty("messages").EnumerateArray().Where(static turn => Text(turn, "role") == "user").Select(static turn => Text(turn, "content")));
}
