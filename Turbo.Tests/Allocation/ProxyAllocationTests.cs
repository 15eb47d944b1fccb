using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Turbo.Server;
using Turbo.Server.Logging;
using Turbo.Tests.Support;

namespace Turbo.Tests.Allocation;

/// <summary>
/// What a proxied request allocates in the whole process: application, relay, both sockets, event row and its way into
/// the database. Client and origin are threads with blocking sockets and buffers of their own, which allocate nothing.
/// </summary>
[TestFixture, NonParallelizable]
internal sealed class ProxyAllocationTests
{
    // Fewer than the spare rows of a warm application, which come back when their batch is stored.
    private const int Requests = 400;

    // On a busy machine it takes a while until the methods are compiled as they will be for good.
    private const int MaxRounds = 50;

#if DEBUG
    // State machines are objects there, one a call.
    private const int MaxBytes = 8192;
#else
    private const int MaxBytes = 256;
#endif

    private const string Reply = """{"id":"c","object":"chat.completion","model":"gpt-4o","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}""";

    private static readonly string s_json = $"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {Reply.Length}\r\n\r\n{Reply}";

    private static readonly string s_stream = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n|"
        + string.Concat(Enumerable.Range(0, 10).Select(static i => $"22\r\ndata: {{\"model\":\"gpt-4o\",\"n\":{i:000}}}\n\n\r\n|")) + "0\r\n\r\n";

    [TestCase("GET /v1/models", "", false)]
    [TestCase("POST /v1/chat/completions", """{"model":"gpt-4o","messages":[{"role":"user","content":"hello"}]}""", false)]
    [TestCase("POST /v1/chat/completions", """{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"hello"}]}""", true)]
    public async Task A_proxied_request_allocates_little(string line, string body, bool isStream)
    {
        using Origin origin = new(isStream ? s_stream : s_json, requestEnd: body.Length > 0 ? body : "\r\n\r\n");
        await using TestApp app = await TestApp.StartAsync(o => o with { Upstream = UpstreamTarget.At(origin.EndPoint), OpenAiApiKey = "sk", LogLevel = LogLevel.Info });
        (string token, _) = await app.SignUpAsync("alice");
        byte[] request = Encoding.ASCII.GetBytes(
            $"{line} HTTP/1.1\r\nHost: turbo.test\r\nAuthorization: Bearer {token}\r\nUser-Agent: OpenAI/JS 6.0\r\nAccept: application/json\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}");
        IReadOnlyList<double> perRequest = await Task.Factory.StartNew(() => Measure(app, request), TaskCreationOptions.LongRunning);
        // The last is the best: what else the process does meanwhile is not the request's.
        Assert.That(perRequest[^1], Is.LessThan(MaxBytes), string.Join(", ", perRequest.Select(static bytes => bytes.ToString("F0", CultureInfo.InvariantCulture))));
    }

    private static List<double> Measure(TestApp app, byte[] request)
    {
        using Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveTimeout = 10_000 };
        socket.Connect(app.EndPoint);
        byte[] buffer = new byte[64 * 1024];
        socket.Send(request);
        // The response's length is the same each time.
        int length = 0;
        while (!IsWhole(buffer.AsSpan(0, length))) length += Receive(socket, buffer.AsSpan(length));
        List<double> perRequest = [];
        do
        {
            app.App.Events.FlushAsync().Wait(Until.Deadline);
            long before = GC.GetTotalAllocatedBytes(precise: true);
            for (int i = 0; i < Requests; i++)
            {
                socket.Send(request);
                for (int got = 0; got < length;) got += Receive(socket, buffer.AsSpan(got));
            }
            perRequest.Add((GC.GetTotalAllocatedBytes(precise: true) - before) / (double)Requests);
        }
        while (perRequest[^1] >= MaxBytes && perRequest.Count < MaxRounds);
        return perRequest;
    }

    private static int Receive(Socket socket, Span<byte> buffer)
    {
        int received = socket.Receive(buffer);
        return received > 0 ? received : throw new EndOfStreamException("the connection ended within a response");
    }

    private static bool IsWhole(ReadOnlySpan<byte> response) => response.EndsWith("\r\n0\r\n\r\n"u8) || response.EndsWith("}}"u8);

    /// <summary>Answers every request with the same bytes, sent in the pieces that <c>|</c> marks.</summary>
    private sealed class Origin : IDisposable
    {
        private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        private readonly byte[][] _pieces;
        private readonly byte[] _requestEnd;

        public Origin(string answer, string requestEnd)
        {
            _pieces = [.. answer.Split('|').Select(Encoding.ASCII.GetBytes)];
            _requestEnd = Encoding.ASCII.GetBytes(requestEnd);
            _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            _listener.Listen(16);
            EndPoint = (IPEndPoint)_listener.LocalEndPoint!;
            _ = Task.Factory.StartNew(Accept, TaskCreationOptions.LongRunning);
        }

        public IPEndPoint EndPoint { get; }

        public void Dispose() => _listener.Dispose();

        private void Accept()
        {
            try
            {
                while (true)
                {
                    Socket socket = _listener.Accept();
                    _ = Task.Factory.StartNew(() => Serve(socket), TaskCreationOptions.LongRunning);
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // The test is over.
            }
        }

        private void Serve(Socket socket)
        {
            socket.NoDelay = true;
            byte[] buffer = new byte[64 * 1024];
            using (socket)
            {
                int length = 0;
                while (socket.Receive(buffer.AsSpan(length)) is > 0 and int received)
                {
                    length += received;
                    if (!buffer.AsSpan(0, length).EndsWith(_requestEnd)) continue;
                    length = 0;
                    foreach (byte[] piece in _pieces) socket.Send(piece);
                }
            }
        }
    }
}
