using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Text;
using Turbo.Server;
using Turbo.Server.Logging;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Logging;

[TestFixture]
internal sealed class UpstreamLogTests
{
    [Test]
    public void It_tells_the_reason_at_most_every_ten_seconds_and_how_many_it_left_out()
    {
        ManualTimeProvider time = new();
        using MemoryStream output = new();
        using (LogWriter writer = new(output, LogFormat.Text, time))
        {
            UpstreamLog log = new(new AppLog(writer, LogLevel.Info), UpstreamTarget.At(new IPEndPoint(IPAddress.Parse("192.0.2.1"), 80)), time);
            for (int i = 0; i < 3; i++) log.ConnectFailed(new AuthenticationException("the TLS handshake failed", new IOException("no\nhome")));
            time.Advance(TimeSpan.FromSeconds(9.9));
            log.ConnectFailed(new IOException("never told"));
            time.Advance(TimeSpan.FromSeconds(0.1));
            log.ConnectFailed(new TimeoutException("it took too long", new OperationCanceledException("not this")));
            time.Advance(TimeSpan.FromSeconds(10));
            log.ConnectFailed(new SocketException((int)SocketError.TryAgain));
        }
        string[] told = [.. Encoding.UTF8.GetString(output.ToArray()).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static line => line[(line.IndexOf(' ', StringComparison.Ordinal) + 1)..])];
        Assert.That(told, Is.EqualTo(new[]
        {
            "warn no connection to the upstream http://192.0.2.1: no\\u{a}home",
            "warn no connection to the upstream http://192.0.2.1: it took too long (and 3 more since this was told last)",
            "warn no connection to the upstream http://192.0.2.1: no name server answered",
        }));
    }
}
