using System.Net;
using System.Net.Sockets;
using Turbo.Server.Mock;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Mock;

[Category(TurboProcess.Category)]
internal sealed class MockCommandTests
{
    private static readonly Dictionary<string, string> s_nothing = [];

    [Test]
    public async Task It_listens_says_where_and_stops_when_told()
    {
        using TempFolder folder = new();
        using TurboProcess turbo = TurboProcess.Start(folder.Path, s_nothing, "mock", "127.0.0.1:0");
        string line = await turbo.LineAsync("mock upstream at ");
        Uri address = new(line["mock upstream at ".Length..]);
        Assert.That(address.AbsolutePath, Is.EqualTo("/v1"));
        using (RawClient client = new(new IPEndPoint(IPAddress.Loopback, address.Port)))
            Assert.That(client.Exchange("GET /v1/models HTTP/1.1\r\nHost: mock\r\n\r\n").Status, Is.EqualTo(200));
        turbo.Signal("TERM");
        Assert.That(await turbo.ExitAsync(), Is.Zero);
        Assert.That(turbo.Error, Is.Empty);
        Assert.That(Directory.GetFileSystemEntries(folder.Path), Is.Empty);
    }

    [Test]
    public async Task It_explains_itself()
    {
        using TempFolder folder = new();
        using TurboProcess turbo = TurboProcess.Start(folder.Path, s_nothing, "mock", "--help");
        Assert.That(await turbo.ExitAsync(), Is.Zero);
        Assert.That(turbo.Out, Does.StartWith("usage: turbo mock [ADDRESS]\n").And.Contain(Pacing.Help));
    }

    [TestCase("mock", "9090")]
    [TestCase("mock", "localhost")]
    [TestCase("mock", ":65536")]
    [TestCase("mock", "--port")]
    [TestCase("mock", ":0", ":0")]
    public async Task A_bad_address_is_one_line(params string[] args)
    {
        using TempFolder folder = new();
        using TurboProcess turbo = TurboProcess.Start(folder.Path, s_nothing, args);
        Assert.That(await turbo.ExitAsync(), Is.EqualTo(2));
        Assert.That(turbo.Error, Does.Match(@"\Aturbo mock: [^\n]*; see turbo mock --help\n\z"));
        Assert.That(turbo.Out, Is.Empty);
    }

    [Test]
    public async Task An_address_in_use_is_one_line()
    {
        using Socket taken = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        taken.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        taken.Listen();
        using TempFolder folder = new();
        using TurboProcess turbo = TurboProcess.Start(folder.Path, s_nothing, "mock", taken.LocalEndPoint!.ToString()!);
        Assert.That(await turbo.ExitAsync(), Is.EqualTo(1));
        Assert.That(turbo.Error, Does.Match(@"\Aturbo mock: cannot listen at 127\.0\.0\.1:\d+: [^\n]*\n\z"));
    }
}
