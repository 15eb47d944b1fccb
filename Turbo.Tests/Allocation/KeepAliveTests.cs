using System.Net.Sockets;
using Turbo.Tests.Net;
using Turbo.Tests.Support;

namespace Turbo.Tests.Allocation;

/// <summary>The keep-alive exchange of a small GET route allocates nothing on a socket and in TLS; <see cref="AllocationGateTests"/> has it in memory.</summary>
[TestFixture]
internal sealed class KeepAliveTests
{
    private const int Warm = 3_000;
    private const int Counted = 10_000;

    private static readonly byte[] s_browser = Segmented.Bytes(
        "GET /plaintext?x=1 HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n"
        + "Accept: text/html,application/xhtml+xml\r\nAccept-Encoding: gzip, deflate, br\r\nCookie: sess=abc\r\nConnection: keep-alive\r\n\r\n");

#if DEBUG
    [SetUp]
    public void NotInDebug() => Assert.Inconclusive("an async method's state is an object in Debug builds: run with -c Release");
#endif

    /// <summary>Over a socket, both sides together: the client blocks, in buffers made before.</summary>
    [TestCase(1)]
    [TestCase(16)]
    public async Task On_a_socket(int pipelined)
    {
        await using NetServer server = new();
        using RawClient client = server.Connect();
        byte[] batch = [.. Enumerable.Repeat(s_browser, pipelined).SelectMany(static b => b)];
        int answerBytes = pipelined * client.Send(s_browser).Read().ToWire().Length;
        byte[] answer = new byte[answerBytes];
        Run(client.Socket, batch, answer, Warm);
        long allocated = long.MaxValue;
        // The process does other things too, such as making the Date line of each second: the least count tells. One
        // object in twenty exchanges would still be seen.
        for (int round = 0; round < 5 && allocated >= Counted; round++)
        {
            long before = GC.GetTotalAllocatedBytes(precise: true);
            Run(client.Socket, batch, answer, Counted);
            allocated = Math.Min(allocated, GC.GetTotalAllocatedBytes(precise: true) - before);
        }
        Assert.That(allocated, Is.LessThan(Counted), $"bytes in {Counted} exchanges");
    }

    /// <summary>In TLS, both sides together.</summary>
    [TestCase(1)]
    [TestCase(16)]
    public async Task In_tls(int pipelined)
    {
        await using NetServer server = new(isTls: true);
        using RawClient client = server.Connect();
        byte[] batch = [.. Enumerable.Repeat(s_browser, pipelined).SelectMany(static b => b)];
        int answerBytes = pipelined * client.Send(s_browser).Read().ToWire().Length;
        byte[] answer = new byte[answerBytes];
        Run(client.Tls!, batch, answer, Warm);
        // The least of a thread other than the server's.
        long own = GC.GetAllocatedBytesForCurrentThread();
        Run(client.Tls!, batch, answer, Counted);
        own = GC.GetAllocatedBytesForCurrentThread() - own;
        long allocated = long.MaxValue;
        for (int round = 0; round < 5 && allocated >= Counted; round++)
        {
            long before = GC.GetTotalAllocatedBytes(precise: true);
            Run(client.Tls!, batch, answer, Counted);
            allocated = Math.Min(allocated, GC.GetTotalAllocatedBytes(precise: true) - before - own);
        }
        Assert.That(allocated, Is.LessThan(Counted), $"bytes in {Counted} exchanges, beside the client's {own}");
    }

    private static void Run(System.Net.Security.SslStream stream, byte[] batch, byte[] answer, int times)
    {
        for (int i = 0; i < times; i++)
        {
            stream.Write(batch);
            stream.ReadExactly(answer);
        }
    }

    private static void Run(Socket socket, byte[] batch, byte[] answer, int times)
    {
        for (int i = 0; i < times; i++)
        {
            socket.Send(batch);
            for (int at = 0; at < answer.Length;)
            {
                int read = socket.Receive(answer.AsSpan(at));
                if (read == 0) throw new InvalidOperationException("closed");
                at += read;
            }
        }
    }
}
