using System.Buffers;
using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Turbo.Net.Sse;
using Turbo.Server.Events;
using Turbo.Tests.Support;

namespace Turbo.Tests.Conformance;

/// <summary>Contract section 7 with many subscribers, and with one that takes nothing.</summary>
[TestFixture]
internal sealed class StreamCrowdTests
{
    private TestApp _app = null!;
    private string _token = "", _chat = "";

    [SetUp]
    public async Task StartAsync()
    {
        _app = await TestApp.StartAsync(options => options with { Limits = options.Limits with { WriteTimeout = TimeSpan.FromMinutes(5) } });
        (_token, _) = await _app.SignUpAsync("ann");
        _chat = (await _app.PostAsync("/chat/create", _token)).Json.GetProperty("id").GetString()!;
    }

    [TearDown]
    public async Task StopAsync() => await _app.DisposeAsync();

    [Test]
    public async Task A_thousand_subscribers_get_every_message_in_order()
    {
        const int subscribers = 1000, messages = 50;
        Socket[] sockets = await Task.WhenAll(Enumerable.Range(0, subscribers).Select(_ => SubscribeAsync()));
        await Until.TrueAsync(() => _app.App.Streams.Count == subscribers);
        Task<List<string>>[] reading = [.. sockets.Select(socket => ReadAsync(socket, messages))];
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < messages; i++)
        {
            Reply reply = await _app.FormAsync("/chat/prompt", $"id={_chat}&prompt={i}&otr=true", _token);
            Assert.That(reply.Status, Is.EqualTo(200), reply.Content);
        }
        List<string>[] all = await Task.WhenAll(reading).WaitAsync(TimeSpan.FromSeconds(60));
        TestContext.Out.WriteLine($"{subscribers * messages} messages to {subscribers} subscribers in {Stopwatch.GetElapsedTime(start).TotalSeconds:f1} s");
        string[] expected = [.. Enumerable.Range(0, messages).Select(static i => i.ToString())];
        foreach (List<string> one in all) Assert.That(one, Is.EqualTo(expected));
        foreach (Socket socket in sockets) socket.Dispose();
        await Until.TrueAsync(() => _app.App.Streams.Count == 0);
    }

    [Test]
    public async Task A_stalled_subscriber_is_closed_and_delays_nobody()
    {
        using Socket stalled = await SubscribeAsync(receiveBufferBytes: 4096);
        await using StreamClient stalledSocket = await StreamClient.OpenAsync(StreamKind.WebSocket, _app, $"/chat/stream?id={_chat}", _token);
        await using StreamClient quick = await StreamClient.OpenAsync(StreamKind.Sse, _app, $"/chat/stream?id={_chat}", _token);
        await Until.TrueAsync(() => _app.App.Streams.Count == 3);

        // Enough to fill what the kernel holds for the stalled ones, and then their queues.
        string prompt = new('x', 32 * 1024);
        int sent = 0;
        while (_app.App.Streams.Count > 1)
        {
            Assert.That(++sent, Is.LessThan(4 * IEventBus.DefaultCapacity), "the stalled ones are still there");
            Assert.That((await _app.FormAsync("/chat/prompt", $"id={_chat}&prompt={sent}{prompt}&otr=true", _token)).Status, Is.EqualTo(200));
            Assert.That((await quick.NextAsync()).GetProperty("message").GetProperty("prompt").GetString(), Does.StartWith($"{sent}x"));
        }
        // What the stalled one had in its buffers it may read; then its connection has been reset, or shows no orderly end.
        int received = 0;
        using CancellationTokenSource deadline = new(Until.Deadline);
        byte[] buffer = new byte[64 * 1024];
        try
        {
            int read;
            while ((read = await stalled.ReceiveAsync(buffer, deadline.Token)) > 0) received += read;
            Assert.Fail("an orderly end");
        }
        catch (SocketException e)
        {
            Assert.That(e.SocketErrorCode, Is.EqualTo(SocketError.ConnectionReset));
        }
        Assert.That(received, Is.LessThan(sent * prompt.Length), "nothing was held back from it");
        // The WebSocket is told, after what was on its way.
        List<string> rest = await stalledSocket.RestAsync();
        Assert.That(rest, Has.Count.LessThan(sent));
    }

    // Of HTTP/1.0: what follows the head is the stream as it is.
    private async Task<Socket> SubscribeAsync(int receiveBufferBytes = 0)
    {
        Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        if (receiveBufferBytes > 0) socket.ReceiveBufferSize = receiveBufferBytes;
        await socket.ConnectAsync(_app.EndPoint);
        await socket.SendAsync(Encoding.ASCII.GetBytes($"GET /chat/stream?id={_chat} HTTP/1.0\r\nAuthorization: Bearer {_token}\r\n\r\n"));
        return socket;
    }

    private static async Task<List<string>> ReadAsync(Socket socket, int messages)
    {
        List<string> prompts = [];
        EventStreamReader events = new();
        byte[] buffer = new byte[16 * 1024];
        bool isHead = true;
        while (prompts.Count < messages)
        {
            int read = await socket.ReceiveAsync(buffer);
            Assert.That(read, Is.Positive, "the stream has ended");
            ReadOnlySequence<byte> bytes = new(buffer, 0, read);
            if (isHead)
            {
                // It comes alone: nothing is published before all have theirs.
                Assert.That(Encoding.ASCII.GetString(buffer, 0, read), Does.StartWith("HTTP/1.1 200").And.EndsWith("\r\n\r\n"));
                isHead = false;
                continue;
            }
            while (events.Read(ref bytes) == EventStreamStatus.Event)
                prompts.Add(JsonDocument.Parse(events.Data.ToArray()).RootElement.GetProperty("message").GetProperty("prompt").GetString()!);
        }
        return prompts;
    }
}
