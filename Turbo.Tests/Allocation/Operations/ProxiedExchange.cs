using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Turbo.Server;
using Turbo.Server.Logging;

namespace Turbo.Tests.Allocation.Operations;

/// <summary>
/// What a proxied request allocates in the whole process: application, relay, both sockets, event row and its way into
/// the database. Client and origin are threads with blocking sockets and buffers of their own, which allocate nothing.
/// </summary>
internal static class ProxiedExchange
{
    // Fewer than the spare rows of a warm application, which come back when their batch is stored.
    private const int Requests = 400;

    // On a busy machine it takes a while until the methods are compiled as they will be for good.
    private const int MinRounds = 3;
    private const int MaxRounds = 50;

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    private const string Reply = """{"id":"c","object":"chat.completion","model":"gpt-4o","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}""";

    private static readonly string s_json = $"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {Reply.Length}\r\n\r\n{Reply}";

    private static readonly string s_stream = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n|"
        + string.Concat(Enumerable.Range(0, 10).Select(static i => $"22\r\ndata: {{\"model\":\"gpt-4o\",\"n\":{i:000}}}\n\n\r\n|")) + "0\r\n\r\n";

    /// <summary>Bytes a request, in the best of several rounds: what else the process does meanwhile is not the request's.</summary>
    /// <param name="line">Method and target.</param>
    /// <param name="body">The content.</param>
    /// <param name="isStream">Whether the answer is an event stream.</param>
    /// <param name="enough">Bytes at which no further round is needed.</param>
    public static double Measure(string line, string body, bool isStream, double enough)
    {
        using Origin origin = new(isStream ? s_stream : s_json, requestEnd: body.Length > 0 ? body : "\r\n\r\n");
        string folder = Directory.CreateTempSubdirectory("turbo-allocation-").FullName;
        AppHost app = AppHost.StartAsync(Options(folder, origin.EndPoint), log: Stream.Null).Result;
        try
        {
            byte[] request = Encoding.ASCII.GetBytes(
                $"{line} HTTP/1.1\r\nHost: turbo.test\r\nAuthorization: Bearer {SignUp(app.EndPoints[0])}\r\nUser-Agent: OpenAI/JS 6.0\r\nAccept: application/json\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}");
            return Task.Factory.StartNew(() => Measure(app, request, enough), TaskCreationOptions.LongRunning).Result;
        }
        finally
        {
            app.DisposeAsync().AsTask().Wait(s_patience);
            Directory.Delete(folder, recursive: true);
        }
    }

    private static AppOptions Options(string folder, IPEndPoint origin)
    {
        Dictionary<string, string> variables = new()
        {
            ["ADDRESS"] = "127.0.0.1:0",
            ["OPENAI_API_URL"] = $"http://{origin}",
            ["OPENAI_API_KEY"] = "sk",
            ["DB_ADDRESS"] = "sqlite:" + Path.Combine(folder, "turbo.db"),
            ["LOG_LEVEL"] = "info",
            ["BCRYPT_COST"] = "4",
        };
        return AppOptions.TryRead(variables.GetValueOrDefault, out AppOptions? options, out string? error) ? options : throw new InvalidOperationException(error);
    }

    private static string SignUp(IPEndPoint server)
    {
        using HttpClient client = new() { BaseAddress = new Uri($"http://{server}") };
        using HttpResponseMessage answer = client.PostAsJsonAsync("/user/signup", new { username = "alice", password = "correct horse" }).Result;
        return answer.Content.ReadFromJsonAsync<JsonElement>().Result.GetProperty("Token").GetString()!;
    }

    private static double Measure(AppHost app, byte[] request, double enough)
    {
        using Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveTimeout = (int)s_patience.TotalMilliseconds };
        socket.Connect(app.EndPoints[0]);
        byte[] buffer = new byte[64 * 1024];
        socket.Send(request);
        // The response's length is the same each time.
        int length = 0;
        while (!IsWhole(buffer.AsSpan(0, length))) length += Receive(socket, buffer.AsSpan(length));
        if (!buffer.AsSpan(0, length).StartsWith("HTTP/1.1 200 OK\r\n"u8)) throw new InvalidDataException(Encoding.ASCII.GetString(buffer.AsSpan(0, length)));
        double best = double.MaxValue;
        for (int round = 0; round < MinRounds || (round < MaxRounds && best > enough); round++)
        {
            app.Events.FlushAsync().Wait(s_patience);
            long before = GC.GetTotalAllocatedBytes(precise: true);
            for (int i = 0; i < Requests; i++)
            {
                socket.Send(request);
                for (int got = 0; got < length;) got += Receive(socket, buffer.AsSpan(got));
            }
            best = Math.Min(best, (GC.GetTotalAllocatedBytes(precise: true) - before) / (double)Requests);
        }
        // What is measured includes that it is counted.
        if (app.Gateway.Pool.Metrics.AddedTime.Read().Count < Requests * MinRounds) throw new InvalidDataException("requests were not counted");
        return best;
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
                // It is over.
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
