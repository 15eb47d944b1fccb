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
    public async Task A_thousand_subscribers_get_every_message_in_order([Values] StreamKind kind)
    {
        const int subscribers = 1000, messages = 50;
        Socket[] sockets = await Task.WhenAll(Enumerable.Range(0, subscribers).Select(_ => SubscribeAsync(kind)));
        await Until.TrueAsync(() => _app.App.Streams.Count == subscribers);
        Task<List<string>>[] reading = [.. sockets.Select(socket => ReadAsync(socket, kind, messages))];
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
        using Socket stalled = await SubscribeAsync(StreamKind.Sse, receiveBufferBytes: 4096);
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

    private async Task<Socket> SubscribeAsync(StreamKind kind, int receiveBufferBytes = 0)
    {
        Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        if (receiveBufferBytes > 0) socket.ReceiveBufferSize = receiveBufferBytes;
        await socket.ConnectAsync(_app.EndPoint);
        // Events to a client of HTTP/1.0 follow the head as they are, without chunks.
        string rest = kind == StreamKind.Sse
            ? "1.0\r\n"
            : "1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
        await socket.SendAsync(Encoding.ASCII.GetBytes($"GET /chat/stream?id={_chat} HTTP/{rest}Authorization: Bearer {_token}\r\n\r\n"));
        byte[] head = new byte[4096];
        int length = 0;
        // It comes alone: nothing is published before all have theirs.
        while (!head.AsSpan(0, length).EndsWith("\r\n\r\n"u8)) length += await socket.ReceiveAsync(head.AsMemory(length));
        Assert.That(Encoding.ASCII.GetString(head, 0, length), Does.StartWith(kind == StreamKind.Sse ? "HTTP/1.1 200" : "HTTP/1.1 101"));
        return socket;
    }

    private static async Task<List<string>> ReadAsync(Socket socket, StreamKind kind, int messages)
    {
        List<string> prompts = [];
        EventStreamReader events = new();
        byte[] buffer = new byte[64 * 1024];
        int length = 0;
        while (prompts.Count < messages)
        {
            int read = await socket.ReceiveAsync(buffer.AsMemory(length));
            Assert.That(read, Is.Positive, "the stream has ended");
            length += read;
            if (kind == StreamKind.Sse)
            {
                ReadOnlySequence<byte> bytes = new(buffer, 0, length);
                while (events.Read(ref bytes) == EventStreamStatus.Event) prompts.Add(Prompt(events.Data));
                length = 0;
                continue;
            }
            int at = 0;
            while (TryReadFrame(buffer.AsSpan(at, length - at), out ReadOnlySpan<byte> payload, out int size))
            {
                if (!payload.IsEmpty) prompts.Add(Prompt(payload));
                at += size;
            }
            buffer.AsSpan(at, length - at).CopyTo(buffer);
            length -= at;
        }
        return prompts;
    }

    // A whole text message of up to 64 KiB, unmasked; a ping has no payload to show.
    private static bool TryReadFrame(ReadOnlySpan<byte> bytes, out ReadOnlySpan<byte> payload, out int size)
    {
        payload = default;
        size = 0;
        if (bytes.Length < 4) return bytes is [0x89, 0, ..] && (size = 2) > 0;
        if (bytes is [0x89, 0, ..]) return (size = 2) > 0;
        Assert.That(bytes[0], Is.EqualTo(0x81));
        int header = bytes[1] == 126 ? 4 : 2;
        int length = bytes[1] == 126 ? bytes[2] << 8 | bytes[3] : bytes[1];
        if (bytes.Length < header + length) return false;
        payload = bytes.Slice(header, length);
        size = header + length;
        return true;
    }

    private static string Prompt(ReadOnlySpan<byte> json) => JsonDocument.Parse(json.ToArray()).RootElement.GetProperty("message").GetProperty("prompt").GetString()!;
}
