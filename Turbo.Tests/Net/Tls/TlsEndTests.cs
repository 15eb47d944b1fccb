using System.Net.Sockets;
using System.Text;
using Turbo.Net;
using Turbo.Net.Transport;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net.Tls;

/// <summary>
/// Ends of TLS connections (RFC 9112 §9.8): a close_notify is a FIN, a FIN without one is none. What sockets and TLS have in
/// common is tested in <see cref="SocketTests"/> and <see cref="SocketEndTests"/>, on both.
/// </summary>
[TestFixture]
internal sealed class TlsEndTests
{
    private const string Get = "GET /plaintext HTTP/1.1\r\nHost: h\r\n\r\n";

    private NetServer? _server;

    [TearDown]
    public async Task Stop()
    {
        if (_server is not null) await _server.DisposeAsync();
        _server = null;
    }

    private RawClient Connect(RequestHandler? handler = null) => (_server ??= new NetServer(handler, isTls: true)).Connect();

    private async Task<EndReason> EndAsync()
    {
        await Until.TrueAsync(() => !_server!.Log.Ended.IsEmpty);
        return _server!.Log.Ended.Single();
    }

    [Test]
    public async Task The_server_says_close_notify_and_a_client_that_does_has_closed()
    {
        using RawClient client = Connect();
        Assert.That(client.Exchange(Get).Status, Is.EqualTo(200));
        client.HalfClose().ExpectFin();
        Assert.That(await EndAsync(), Is.EqualTo(EndReason.PeerClosed));
    }

    [Test]
    public async Task A_body_that_only_the_end_delimits_ends_with_close_notify()
    {
        using RawClient client = Connect(static exchange =>
        {
            exchange.Response.Start(200);
            exchange.Response.EndHeadChunked();
            exchange.Response.Write("to an HTTP/1.0 client"u8);
            return default;
        });
        Assert.That(client.Exchange("GET / HTTP/1.0\r\n\r\n").Text, Is.EqualTo("to an HTTP/1.0 client"));
        Assert.That(await EndAsync(), Is.EqualTo(EndReason.NotPersistent));
    }

    [Test]
    public async Task A_fin_without_close_notify_is_no_close()
    {
        using RawClient client = Connect();
        Assert.That(client.Exchange(Get).Status, Is.EqualTo(200));
        client.Socket.Shutdown(SocketShutdown.Send);
        client.ReadToEnd(out byte[] rest);
        Assert.That(rest, Is.Empty);
        Assert.That(await EndAsync(), Is.EqualTo(EndReason.PeerReset));
    }

    /// <summary>Requests that came whole before the cut are answered: their framing shows that they are.</summary>
    [Test]
    public void Requests_that_came_before_the_cut_are_answered([Values(1, 3, 100)] int count)
    {
        using RawClient client = Connect();
        client.Send(string.Concat(Enumerable.Repeat(Get, count)));
        client.Socket.Shutdown(SocketShutdown.Send);
        for (int i = 0; i < count; i++) Assert.That(client.Read().Status, Is.EqualTo(200));
    }

    [Test]
    public async Task A_request_cut_in_its_body_is_not_handled_as_whole()
    {
        TaskCompletionSource<RejectReason> read = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using RawClient client = Connect(async exchange => read.SetResult((await exchange.Body.ReadAllAsync()).Reject));
        client.Send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
        client.Socket.Shutdown(SocketShutdown.Send);
        Assert.That(await Until.DoneAsync(read.Task), Is.EqualTo(RejectReason.TruncatedBody));
        Assert.That(await EndAsync(), Is.EqualTo(EndReason.PeerReset));
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task A_watched_client_is_gone_by_a_cut_and_half_closed_by_a_close_notify(bool isCut)
    {
        TaskCompletionSource<bool> closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        TaskCompletionSource waits = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using RawClient client = Connect(async exchange =>
        {
            exchange.OnClientClosed((_, reset) => closed.SetResult(reset), null);
            waits.SetResult();
            await closed.Task;
            Assert.That(exchange.HasClientReset, Is.EqualTo(isCut));
            exchange.Response.Send(200, default, "after the close"u8);
        });
        client.Send(Get);
        await Until.DoneAsync(waits.Task);
        if (isCut) client.Socket.Shutdown(SocketShutdown.Send);
        else client.HalfClose();
        Assert.That(await Until.DoneAsync(closed.Task), Is.EqualTo(isCut));
        if (!isCut) Assert.That(client.Read().Text, Is.EqualTo("after the close"));
        Assert.That(await EndAsync(), Is.EqualTo(isCut ? EndReason.PeerReset : EndReason.PeerClosed));
    }

    [Test]
    public async Task Bytes_that_are_no_record_end_the_connection()
    {
        using RawClient client = Connect();
        Assert.That(client.Exchange(Get).Status, Is.EqualTo(200));
        client.Socket.Send(Encoding.ASCII.GetBytes(Get));
        client.ExpectReset();
        Assert.That(await EndAsync(), Is.EqualTo(EndReason.PeerReset));
    }

    /// <summary>Each record is its own: the request is put together from any cuts, and nothing waits for more than there is.</summary>
    [Test]
    public void A_request_in_records_of_one_byte_and_records_in_packets_of_one_byte()
    {
        using RawClient client = Connect();
        foreach (byte each in Segmented.Bytes("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello")) client.Send([each]);
        Assert.That(client.Read().Text, Is.EqualTo("hello"));
        client.TlsPacketBytes = 1;
        Assert.That(client.Exchange(Get + Get).Status + client.Read().Status, Is.EqualTo(400));
    }
}
