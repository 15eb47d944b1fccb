using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;
using Turbo.Tests.Support;

namespace Turbo.Tests.Docs;

/// <summary>
/// The README's examples, run as printed: each ```sh block, in order, in one shell, against the server and mock that
/// `scripts/turbo` would start; what it prints is the ```text block after it, where … stands for what differs from run
/// to run. (```bash blocks start servers and are not run.)
/// </summary>
[TestFixture]
[Category(TurboProcess.Category)]
internal sealed partial class ReadmeTests
{
    private const char Separator = '\u001e';

    [GeneratedRegex(@"^```sh\n(?<code>.*?)^```\n(```text\n(?<output>.*?)^```\n)?", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Blocks();

    [GeneratedRegex(@"^```javascript\n(?<code>.*?)^```\n", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex BrowserScript();

    [GeneratedRegex(@"^```js\n(?<code>.*?)^```\n", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex JavaScript();

    [Test]
    public async Task Each_shell_example_prints_what_it_says()
    {
        Match[] blocks = [.. Blocks().Matches(Repository.Read("README.md")).Cast<Match>()];
        Assert.That(blocks, Has.Length.GreaterThanOrEqualTo(8), "the README has examples");

        using var folder = new TempFolder();
        (TurboProcess turbo, string address) = await StartAsync(folder);
        using (turbo)
        {
            var script = new StringBuilder();
            foreach (Match block in blocks) script.Append(block.Groups["code"].Value).Append($"printf '{Separator}'\n");
            // A script that builds says so on stderr: that is done with before the examples run.
            using (TurboProcess build = TurboProcess.StartProgram(Path.Combine(Repository.Root, "scripts/turbo"), folder.Path, new Dictionary<string, string>(), "version"))
                Assert.That(await build.ExitAsync(), Is.Zero);
            string file = folder.File("readme.sh");
            script.Replace("localhost:8080", address).Replace("scripts/admin", TurboProcess.Binary is { } binary ? $"{binary} admin" : Path.Combine(Repository.Root, "scripts/admin"));
            await File.WriteAllTextAsync(file, script.ToString());
            string[] printed = (await RunAsync(folder.Path, "bash", file)).Split(Separator);

            Assert.That(printed, Has.Length.EqualTo(blocks.Length + 1));
            Assert.Multiple(() =>
            {
                for (int i = 0; i < blocks.Length; i++)
                    Assert.That(printed[i].TrimEnd(), Does.Match(Pattern(blocks[i].Groups["output"].Value.TrimEnd())), blocks[i].Groups["code"].Value);
            });
            turbo.Signal("TERM");
            Assert.That(await turbo.ExitAsync(), Is.Zero);
        }
    }

    [GeneratedRegex(@"^```bash\n(?<code>.*?)^```\n(```text\n(?<output>.*?)^```\n)?", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex StartBlocks();

    /// <summary>Certificate, server and client of the section on TLS, each command as printed.</summary>
    [Test]
    public async Task The_tls_section_serves_https()
    {
        string readme = Repository.Read("README.md");
        string section = readme[readme.IndexOf("## Operating: TLS\n", StringComparison.Ordinal)..];
        Match[] blocks = [.. StartBlocks().Matches(section[..section.IndexOf("\n## ", StringComparison.Ordinal)]).Cast<Match>()];
        Assert.That(blocks, Has.Length.EqualTo(2));
        string server = blocks[0].Groups["code"].Value, client = blocks[1].Groups["code"].Value;
        int start = server.IndexOf("TLS_CERT=", StringComparison.Ordinal);
        Assert.That(server[start..], Is.EqualTo("TLS_CERT=cert.pem TLS_KEY=key.pem ADDRESS=:8443 scripts/turbo\n"));

        using var folder = new TempFolder();
        await RunAsync(folder.Path, "bash", "-c", $"({server[..start]}) 2>openssl.log");
        Dictionary<string, string> environment = new() { ["ADDRESS"] = "127.0.0.1:0", ["TLS_CERT"] = "cert.pem", ["TLS_KEY"] = "key.pem" };
        using TurboProcess turbo = TurboProcess.Start(folder.Path, environment, "serve", "--mock");
        string line = await turbo.LineAsync(" info listening on https://127.0.0.1:");
        string address = "localhost:" + line[(line.LastIndexOf(':') + 1)..].TrimEnd();
        string printed = await RunAsync(folder.Path, "bash", "-c", client.Replace("curl ", "curl -sS4 ", StringComparison.Ordinal).Replace("localhost:8443", address, StringComparison.Ordinal));
        Assert.That(printed, Is.EqualTo(blocks[1].Groups["output"].Value.TrimEnd()));
        // As printed, for others: curl's own defaults do not trust it, and plain http is told so.
        Assert.That(await RunAsync(folder.Path, "bash", "-c", $"curl -s4 https://{address}/healthz; echo $?"), Is.EqualTo("60\n"));
        Assert.That(await RunAsync(folder.Path, "bash", "-c", $"curl -s4 http://{address}/healthz"), Does.Contain("this port speaks https, not http"));
        string[] shown = (await RunAsync(folder.Path, "bash", "-c", $"curl -s4 --cacert cert.pem --tls-max 1.2 -o /dev/null -w '%{{http_code}} %{{http_version}} %{{ssl_verify_result}}' https://{address}/healthz")).Split(' ');
        Assert.That(shown, Is.EqualTo(new[] { "200", "1.1", "0" }));
        turbo.Signal("TERM");
        Assert.That(await turbo.ExitAsync(), Is.Zero);
        Assert.That(turbo.Error, Is.Empty);
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
            string token = await RunAsync(folder.Path, "bash", "-c",
                $$"""curl -s {{address}}/user/signup -d '{"username":"ann"}' | sed 's/.*"Token":"\([^"]*\)".*/\1/' | tr -d '\n'""");
            // Where the pinned openai package is installed: scripts/test does that.
            string modules = Path.Combine(Repository.Root, "Turbo.Tests", "OpenAiClient");
            string printed = await RunAsync(modules, "env", "TOKEN=" + token, "node", "--input-type=module", "-e", code.Replace("localhost:8080", address, StringComparison.Ordinal));
            Assert.That(printed, Is.EqualTo("Reply to 1 message: Say hello"));
        }
    }

    [Test]
    public async Task The_browsers_example_shows_a_chat_by_both_kinds_of_stream()
    {
        string code = BrowserScript().Match(Repository.Read("README.md")).Groups["code"].Value;
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
            Assert.That(await RunAsync(modules, "node", "--input-type=module", "-e", script), Is.EqualTo("Reply to 1 message: hello\nReply to 1 message: hello\n"));
        }
    }

    private static async Task<(TurboProcess Turbo, string Address)> StartAsync(TempFolder folder)
    {
        TurboProcess turbo = TurboProcess.Start(folder.Path, new Dictionary<string, string> { ["ADDRESS"] = "127.0.0.1:0" }, "serve", "--mock");
        const string listening = " info listening on http://";
        string line = await turbo.LineAsync(listening);
        return (turbo, line[(line.IndexOf(listening, StringComparison.Ordinal) + listening.Length)..].TrimEnd());
    }

    private static string Pattern(string output) => $"^{Regex.Escape(output).Replace("…", "[^\\n]*", StringComparison.Ordinal)}$";

    /// <summary>What the program prints; it must succeed and say nothing on stderr.</summary>
    private static async Task<string> RunAsync(string folder, string program, params string[] args)
    {
        var start = new ProcessStartInfo(program, args) { WorkingDirectory = folder, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(1));
        Assert.That(await error, Is.Empty);
        Assert.That(process.ExitCode, Is.Zero);
        return await output;
    }
}
