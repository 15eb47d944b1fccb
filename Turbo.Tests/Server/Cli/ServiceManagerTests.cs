using System.Net.Sockets;
using System.Text;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Cli;

/// <summary>What systemd is told (sd_notify(3)), by a name in the file system and by one outside it.</summary>
[TestFixture]
[Category(TurboProcess.Category)]
[Platform("Linux")]
internal sealed class ServiceManagerTests
{
    [TestCase(false)]
    [TestCase(true)]
    public async Task It_is_told_when_the_server_serves_and_when_it_stops(bool isAbstract)
    {
        using TempFolder folder = new();
        string name = isAbstract ? $"turbo-test-{Guid.NewGuid()}" : folder.File("notify");
        using Socket manager = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        manager.Bind(new UnixDomainSocketEndPoint(isAbstract ? '\0' + name : name));
        using TurboNode turbo = await TurboNode.StartAsync(("NOTIFY_SOCKET", isAbstract ? '@' + name : name));
        Assert.That(await ReceiveAsync(), Is.EqualTo("READY=1"));
        Assert.That((await turbo.GetAsync("/healthz")).Status, Is.EqualTo(200));
        await turbo.StopAsync();
        Assert.That(await ReceiveAsync(), Is.EqualTo("STOPPING=1"));

        async Task<string> ReceiveAsync()
        {
            byte[] message = new byte[64];
            int length = await manager.ReceiveAsync(message).WaitAsync(Until.Deadline);
            return Encoding.ASCII.GetString(message, 0, length);
        }
    }

    [Test]
    public async Task Nobody_at_the_socket_is_told_of_and_does_no_harm()
    {
        using TempFolder folder = new();
        Dictionary<string, string> environment = new() { ["ADDRESS"] = "127.0.0.1:0", ["NOTIFY_SOCKET"] = folder.File("nobody") };
        using TurboProcess turbo = TurboProcess.Start(folder.Path, environment, "serve", "--mock");
        await turbo.LineAsync(": database ");
        turbo.Signal("TERM");
        Assert.That(await turbo.ExitAsync(), Is.Zero);
        Assert.That(turbo.Error, Does.Match(@"\A(turbo: NOTIFY_SOCKET: .+\n){1,2}\z"));
    }
}
