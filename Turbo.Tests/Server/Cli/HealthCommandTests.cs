using System.Net;
using System.Net.Sockets;
using Turbo.Server;
using Turbo.Server.Cli;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Cli;

/// <summary>`turbo health`, as a container's health check runs it.</summary>
[TestFixture]
[Category(TurboProcess.Category)]
internal sealed class HealthCommandTests
{
    private static async Task<(int Code, string Out, string Error)> RunAsync(Dictionary<string, string> environment, params string[] args)
    {
        using var folder = new TempFolder();
        using TurboProcess turbo = TurboProcess.Start(folder.Path, environment, ["health", .. args]);
        int code = await turbo.ExitAsync();
        Assert.That(Directory.EnumerateFileSystemEntries(folder.Path), Is.Empty, "nothing is left behind");
        return (code, turbo.Out, turbo.Error);
    }

    [Test]
    public async Task A_server_that_lives_is_healthy_by_its_address_and_by_its_url()
    {
        using TurboNode turbo = await TurboNode.StartAsync();
        Assert.That(await RunAsync(new() { ["ADDRESS"] = $":{turbo.Address.Port}" }), Is.EqualTo((0, "", "")));
        Assert.That(await RunAsync([], $"{turbo.Address}readyz"), Is.EqualTo((0, "", "")));
        Assert.That(await RunAsync([], $"{turbo.Address}nowhere"), Is.EqualTo((1, "", $"turbo health: {turbo.Address}nowhere answers 404\n")));
    }

    [Test]
    public async Task A_server_in_tls_is_asked_in_tls()
    {
        (string certificate, string key) = TestCertificates.SharedFiles;
        using TurboNode turbo = await TurboNode.StartAsync(("TLS_CERT", certificate), ("TLS_KEY", key));
        Dictionary<string, string> environment = new() { ["ADDRESS"] = $"127.0.0.1:{turbo.Address.Port}", ["TLS_CERT"] = certificate, ["TLS_KEY"] = key };
        Assert.That(await RunAsync(environment), Is.EqualTo((0, "", "")));
        (int code, _, string error) = await RunAsync([], $"http://127.0.0.1:{turbo.Address.Port}");
        Assert.That((code, error), Is.EqualTo((1, $"turbo health: http://127.0.0.1:{turbo.Address.Port}/healthz answers 400\n")));
    }

    [Test]
    public async Task Nobody_there_is_not_healthy()
    {
        using Socket bound = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        bound.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        int port = ((IPEndPoint)bound.LocalEndPoint!).Port;
        (int code, string text, string error) = await RunAsync(new() { ["ADDRESS"] = $"127.0.0.1:{port}" });
        Assert.That((code, text), Is.EqualTo((1, "")));
        Assert.That(error, Does.Match($@"\Aturbo health: http://127\.0\.0\.1:{port}/healthz: .+\n\z"));
    }

    [TestCase("HTTP/1.1 503 Busy\r\n\r\n", "answers 503")]
    [TestCase("SSH-2.0-OpenSSH_9.2\r\n", "answers with something that is not HTTP/1.1")]
    [TestCase("", "answers with something that is not HTTP/1.1")]
    public async Task What_is_no_answer_of_200_is_not_healthy(string answer, string said)
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        Task serving = AnswerAsync();
        string url = $"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}/ready?deep=1";
        Assert.That(await RunAsync([], url), Is.EqualTo((1, "", $"turbo health: {url} {said}\n")));
        await serving;

        async Task AnswerAsync()
        {
            using TcpClient client = await listener.AcceptTcpClientAsync();
            using StreamReader reader = new(client.GetStream());
            Assert.That(await reader.ReadLineAsync(), Is.EqualTo("GET /ready?deep=1 HTTP/1.1"));
            while (await reader.ReadLineAsync() is { Length: > 0 })
            {
            }
            await client.GetStream().WriteAsync(System.Text.Encoding.ASCII.GetBytes(answer));
        }
    }

    [TestCase("localhost:8080")]
    [TestCase("ftp://localhost")]
    [TestCase("http://user@localhost/")]
    public async Task A_url_that_is_none_is_answered_with_the_usage(string url) =>
        Assert.That(await RunAsync([], url), Is.EqualTo((2, "", $"turbo: health: {url} is not an http or https URL\n{Usage.Commands}\n")));

    [TestCase(":8080", "http://127.0.0.1:8080/healthz")]
    [TestCase("0.0.0.0:80,10.0.0.1:81", "http://127.0.0.1:80/healthz")]
    [TestCase("[::]:80", "http://[::1]:80/healthz")]
    [TestCase("[fd00::1]:80", "http://[fd00::1]:80/healthz")]
    [TestCase("gateway.internal:80", "http://gateway.internal:80/healthz")]
    public void It_asks_where_the_server_listens(string address, string url)
    {
        Assert.That(AppOptions.TryRead(name => name == "ADDRESS" ? address : null, out AppOptions? options, out string? error), error);
        Assert.That(HealthCommand.Local(options!).ToString(), Is.EqualTo(url));
    }

    [TestCase("https://a.example", "https://a.example:443/healthz")]
    [TestCase("http://[::1]:9/x?y=1", "http://[::1]:9/x?y=1")]
    public void A_urls_parts_have_defaults(string url, string target)
    {
        Assert.That(HealthCommand.TryParse(url, out HealthCommand.Target parsed));
        Assert.That(parsed.ToString(), Is.EqualTo(target));
    }
}
