using System.Text.RegularExpressions;
using Turbo.Tests.Support;

namespace Turbo.Tests.Docs;

/// <summary>The examples of the README and of docs/api.md, run as printed against the server and mock that `scripts/turbo` would start.</summary>
[TestFixture]
[Category(TurboProcess.Category)]
internal sealed partial class ReadmeTests
{
    [GeneratedRegex(@"^```javascript\n(?<code>.*?)^```\n", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex BrowserScript();

    [GeneratedRegex(@"^```js\n(?<code>.*?)^```\n", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex JavaScript();

    [TestCase("README.md")]
    [TestCase("docs/api.md")]
    public async Task Each_shell_example_prints_what_it_says(string page)
    {
        using var folder = new TempFolder();
        (TurboProcess turbo, string address) = await StartAsync(folder);
        using (turbo)
        {
            await ShellPage.RunAsync(page, folder, new Dictionary<string, string>(), ("localhost:8080", address), ("scripts/admin", "turbo admin"));
            turbo.Signal("TERM");
            Assert.That(await turbo.ExitAsync(), Is.Zero);
        }
    }

    [Test]
    public async Task The_javascript_example_streams_a_reply()
    {
        string code = JavaScript().Match(Repository.Read("README.md")).Groups["code"].Value;
        Assert.That(code, Does.Contain("localhost:8080"));

        using var folder = new TempFolder();
        (TurboProcess turbo, string address) = await StartAsync(folder);
        using (turbo)
        {
            string token = await ShellPage.PrintedAsync(folder.Path, new Dictionary<string, string>(), "bash", "-c",
                $$"""curl -s {{address}}/user/signup -d '{"username":"ann"}' | sed 's/.*"Token":"\([^"]*\)".*/\1/' | tr -d '\n'""");
            // Where the pinned openai package is installed: scripts/test does that.
            string modules = Path.Combine(Repository.Root, "Turbo.Tests", "OpenAiClient");
            string printed = await ShellPage.PrintedAsync(modules, new Dictionary<string, string> { ["TOKEN"] = token }, "node", "--input-type=module", "-e", code.Replace("localhost:8080", address, StringComparison.Ordinal));
            Assert.That(printed, Is.EqualTo("Reply to 1 message: Say hello"));
        }
    }

    [Test]
    public async Task The_browsers_example_shows_a_chat_by_both_kinds_of_stream()
    {
        string code = BrowserScript().Match(Repository.Read("docs/api.md")).Groups["code"].Value;
        Assert.That(code, Does.Contain("new EventSource(").And.Contain("new WebSocket("));

        using var folder = new TempFolder();
        (TurboProcess turbo, string address) = await StartAsync(folder);
        using (turbo)
        {
            // What a browser has and this node may not.
            string script = $$"""
                import WebSocket from "ws";
                const location = { origin: "http://{{address}}" };
                class EventSource {
                  constructor(url) { this.run(location.origin + url); }
                  async run(url) {
                    const reader = (await fetch(url)).body.pipeThrough(new TextDecoderStream()).getReader();
                    opened();
                    for (let text = "", part; !(part = await reader.read()).done; ) {
                      const events = (text += part.value).split("\n\n");
                      text = events.pop();
                      for (const data of events) if (data.startsWith("data: ")) this.onmessage({ data: data.slice(6) });
                    }
                  }
                }
                const call = async (path, fields, token) => (await fetch(location.origin + path, {
                  method: "POST", headers: token ? { Authorization: "Bearer " + token } : {}, body: new URLSearchParams(fields),
                })).json();
                const token = (await call("/user/signup", { username: "ann" })).Token, chat = (await call("/chat/create", {}, token)).id;
                let opens = 0, lines = 0;
                const log = console.log;
                console.log = (line) => { log(line); if (++lines == 2) process.exit(0); };
                async function opened() { if (++opens == 2) await call("/chat/prompt", { id: chat, prompt: "hello" }, token); }
                {{code}}
                socket.onopen = opened;
                """;
            string modules = Path.Combine(Repository.Root, "Turbo.Tests", "WsClient");
            Assert.That(await ShellPage.PrintedAsync(modules, new Dictionary<string, string>(), "node", "--input-type=module", "-e", script), Is.EqualTo("Reply to 1 message: hello\nReply to 1 message: hello\n"));
        }
    }

    private static async Task<(TurboProcess Turbo, string Address)> StartAsync(TempFolder folder)
    {
        TurboProcess turbo = TurboProcess.Start(folder.Path, new Dictionary<string, string> { ["ADDRESS"] = "127.0.0.1:0" }, "serve", "--mock");
        const string listening = " info listening on http://";
        string line = await turbo.LineAsync(listening);
        return (turbo, line[(line.IndexOf(listening, StringComparison.Ordinal) + listening.Length)..].TrimEnd());
    }
}
