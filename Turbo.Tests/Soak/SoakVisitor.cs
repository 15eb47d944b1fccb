using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace Turbo.Tests.Soak;

/// <summary>
/// One user: signs up, then does one thing after another at random, and at random moments goes away. Everything is
/// bounded in time; what is not answered by then is told.
/// </summary>
internal sealed class SoakVisitor(SoakServer server, SoakTally tally, int number, int seed) : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private readonly Random _random = new(seed + number);
    private readonly string _name = $"visitor-{seed}-{number}@example.com";
    private SoakConnection? _connection;
    private string _token = "", _chat = "";

    public async Task RunAsync(CancellationToken stop)
    {
        await SignUpAsync();
        (string Name, int Weight, Func<CancellationToken, Task> Do)[] actions =
        [
            ("login and logout", 2, LogInAsync), ("logout while streaming", 1, LogOutWhileStreamingAsync), ("proxied, inline", 8, InlineAsync), ("proxied, streaming", 8, StreamingAsync), ("upload", 3, UploadAsync),
            ("prompt", 4, PromptAsync), ("stream by SSE", 3, c => WatchAsync(isWebSocket: false, c)), ("stream by WebSocket", 3, c => WatchAsync(isWebSocket: true, c)),
            ("reads, pipelined", 3, PipelineAsync), ("realtime tunnel", 3, TunnelAsync), ("bad bytes", 4, MisbehaveAsync), ("events", 2, PublishAsync),
        ];
        int weights = actions.Sum(static a => a.Weight);
        while (!stop.IsCancellationRequested)
        {
            int at = _random.Next(weights), i = 0;
            while ((at -= actions[i].Weight) >= 0) i++;
            tally.Did(actions[i].Name);
            await BoundedAsync(actions[i].Name, actions[i].Do);
        }
    }

    public void Dispose() => _connection?.Dispose();

    private async Task BoundedAsync(string what, Func<CancellationToken, Task> action)
    {
        using CancellationTokenSource patience = new(s_patience);
        try
        {
            await action(patience.Token);
        }
        catch (OperationCanceledException)
        {
            tally.Hang(what);
            Drop();
        }
        catch (Exception e) when (SoakConnection.IsEnd(e))
        {
            tally.Wrong($"{what}: {e.Message}");
            Drop();
        }
    }

    private Task SignUpAsync() => BoundedAsync("signup", async cancellation =>
    {
        Answer? answer = await CallAsync("POST", "/user/signup", Form(("username", _name), ("password", "correct horse")), cancellation, isOpen: true);
        if (answer is not { Status: 200, End: AnswerEnd.Whole })
        {
            tally.Wrong($"signup: {answer}");
            return;
        }
        _token = JsonDocument.Parse(answer.Content).RootElement.GetProperty("Token").GetString()!;
        answer = await CallAsync("POST", "/chat/create", Form(("name", "soak")), cancellation);
        _chat = answer is { Status: 200 } ? JsonDocument.Parse(answer.Content).RootElement.GetProperty("id").GetString()! : "";
        if (_chat.Length == 0) tally.Wrong($"chat/create: {answer}");
    });

    private async Task LogInAsync(CancellationToken cancellation)
    {
        bool isRight = _random.Next(4) > 0;
        Answer? answer = await CallAsync("POST", "/user/login", Form(("username", _name), ("password", isRight ? "correct horse" : "battery staple")), cancellation, isOpen: true);
        Expect(answer, isRight ? 200 : 401, "login");
        if (answer is not { Status: 200, End: AnswerEnd.Whole }) return;
        string token = JsonDocument.Parse(answer.Content).RootElement.GetProperty("Token").GetString()!;
        string kept = _token;
        _token = token;
        Expect(await CallAsync("POST", "/user/logout", "", cancellation), 200, "logout");
        Expect(await CallAsync("GET", "/user/session", "", cancellation), 401, "an ended session");
        _token = kept;
    }

    // What the session has under way ends with it: long before the nine seconds that the stream would take.
    private async Task LogOutWhileStreamingAsync(CancellationToken cancellation)
    {
        Answer? login = await CallAsync("POST", "/user/login", Form(("username", _name), ("password", "correct horse")), cancellation, isOpen: true);
        if (login is not { Status: 200 }) return;
        using SoakConnection stream = await OpenAsync(cancellation);
        string kept = _token;
        _token = JsonDocument.Parse(login.Content).RootElement.GetProperty("Token").GetString()!;
        tally.Abandon();
        const string content = """{"model":"gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"Say hello"}]}""";
        await stream.SendAsync(Encoding.ASCII.GetBytes(
            $"POST /v1/chat/completions HTTP/1.1\r\nHost: soak\r\nAuthorization: Bearer {_token}\r\nContent-Type: application/json\r\nX-Mock-Words: 30\r\nX-Mock-Interval: 300\r\nContent-Length: {content.Length}\r\n\r\n{content}"), cancellation);
        Expect(await CallAsync("POST", "/user/logout", "", cancellation), 200, "logout");
        _token = kept;
        Stopwatch clock = Stopwatch.StartNew();
        if (await stream.ReadAsync(isHead: false, cancellation) is not { Status: 200, End: AnswerEnd.Whole }) return;
        // What is whole before the stream's words can have come answers another request: the upstream said more than it was
        // asked in the instant in which this one was on its way, and HTTP/1.1 has nothing to tell the two apart.
        if (clock.Elapsed < TimeSpan.FromSeconds(8)) tally.Mistake();
        else tally.Wrong("a stream outlived its session");
    }

    private Task InlineAsync(CancellationToken cancellation) => ProxiedAsync(
        "POST", "/v1/chat/completions", """{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Say hello"}]}""",
        $"Content-Type: application/json\r\nX-Mock-Delay: {_random.Next(30)}\r\n" + (_random.Next(12) == 0 ? $"X-Mock-Status: {_random.Next(400, 600)}\r\n" : ""), cancellation);

    private Task StreamingAsync(CancellationToken cancellation) => ProxiedAsync(
        "POST", "/v1/chat/completions", """{"model":"gpt-4o-mini","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"Say hello"}]}""",
        $"Content-Type: application/json\r\nX-Mock-Words: {_random.Next(1, 40)}\r\nX-Mock-Interval: {_random.Next(4)}\r\n" + (_random.Next(10) == 0 ? $"X-Mock-Break: {_random.Next(1, 20)}\r\n" : ""), cancellation);

    private Task UploadAsync(CancellationToken cancellation)
    {
        string file = new('f', _random.Next(1 << _random.Next(8, 20)));
        return ProxiedAsync("POST", "/v1/files",
            $"--soak\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nassistants\r\n--soak\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f.txt\"\r\n\r\n{file}\r\n--soak--\r\n",
            "Content-Type: multipart/form-data; boundary=soak\r\n", cancellation);
    }

    // Through the proxy: whole, or visibly broken, or left by this client while it sends or reads.
    private async Task ProxiedAsync(string method, string path, string content, string fields, CancellationToken cancellation)
    {
        bool isChunked = _random.Next(3) == 0;
        byte[] head = Encoding.Latin1.GetBytes($"{method} {path} HTTP/1.1\r\nHost: soak\r\nAuthorization: Bearer {_token}\r\n{fields}"
            + (isChunked ? "Transfer-Encoding: chunked\r\n\r\n" : $"Content-Length: {content.Length}\r\n\r\n"));
        byte[] body = Encoding.Latin1.GetBytes(isChunked ? $"{content.Length:x}\r\n{content}\r\n0\r\n\r\n" : content);
        byte[] wire = [.. head, .. body];
        SoakConnection connection = await ConnectAsync(cancellation);
        if (_random.Next(8) == 0)
        {
            await connection.SendAsync(wire.AsMemory(0, _random.Next(wire.Length)), cancellation);
            await LeaveAsync(cancellation);
            return;
        }
        bool isSent = await connection.SendAsync(wire, cancellation);
        int enough = _random.Next(6) == 0 ? _random.Next(400) : int.MaxValue;
        Answer? answer = await connection.ReadAsync(isHead: false, cancellation, enough);
        if (answer is { End: AnswerEnd.Left })
        {
            await LeaveAsync(cancellation);
            return;
        }
        if (answer is { End: AnswerEnd.Whole }) tally.Answer();
        else if (isSent || answer is not null) tally.Break();
        else tally.Abandon();
        if (answer is not { End: AnswerEnd.Whole, Closes: false } || !isSent) Drop();
    }

    private async Task PromptAsync(CancellationToken cancellation)
    {
        Answer? answer = await CallAsync("POST", "/chat/prompt", Form(("id", _chat), ("prompt", "Say hello " + _random.Next(100)), ("context", "1")), cancellation);
        // What the upstream did wrong is told as an upstream's error.
        if (answer is not null && answer.Status is not (200 or >= 400 and < 600)) tally.Wrong($"prompt: {answer}");
        if (answer is { Status: 500 or 503 }) tally.Wrong($"prompt: {answer.Status} {answer.Content}");
    }

    private async Task PublishAsync(CancellationToken cancellation)
    {
        using SoakConnection stream = await OpenAsync(cancellation);
        string topic = "soak-" + number;
        tally.Abandon();
        if (await SubscribeAsync(stream, $"/event/subscribe?topic={topic}", "", 200, cancellation) is not { } head) return;
        Task<bool> watching = stream.ReadUntilAsync(head, "\"last\"", cancellation);
        Expect(await CallAsync("POST", "/event/publish", Form(("topic", topic), ("data", "first")), cancellation), 200, "publish");
        Expect(await CallAsync("POST", "/event/publish", Form(("topic", topic), ("data", "last")), cancellation), 200, "publish");
        if (!await watching) tally.Wrong("a subscription ended before its event");
    }

    // The stream's head; null, and told, where it is refused. It is subscribed from then on.
    private async Task<string?> SubscribeAsync(SoakConnection stream, string target, string fields, int status, CancellationToken cancellation)
    {
        await stream.SendAsync(Request("GET", target, "", fields), cancellation);
        string? head = await stream.OpenStreamAsync(cancellation);
        if (head is not null && head.StartsWith($"HTTP/1.1 {status} ", StringComparison.Ordinal)) return head;
        tally.Wrong($"a stream is refused: {head}");
        return null;
    }

    private async Task WatchAsync(bool isWebSocket, CancellationToken cancellation)
    {
        using SoakConnection stream = await OpenAsync(cancellation);
        string upgrade = isWebSocket ? "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" : "";
        tally.Abandon();
        if (await SubscribeAsync(stream, $"/chat/stream?id={_chat}", upgrade, isWebSocket ? 101 : 200, cancellation) is not { } head) return;
        Task<bool> watching = isWebSocket ? WatchFramesAsync(stream, cancellation) : stream.ReadUntilAsync(head, "\"partial\":false", cancellation);
        Answer? answer = await CallAsync("POST", "/chat/prompt", Form(("id", _chat), ("prompt", "Say bye"), ("stream", "true"), ("context", "0")), cancellation);
        if (answer is not { Status: 200 })
        {
            tally.Wrong($"prompt with stream: {answer}");
            stream.Rst();
        }
        else if (_random.Next(4) == 0)
        {
            stream.Rst();
        }
        else if (!await watching)
        {
            tally.Wrong("a stream ended before its reply");
        }
        await ((Task)watching).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task<bool> WatchFramesAsync(SoakConnection stream, CancellationToken cancellation)
    {
        while (await stream.ReadFrameAsync(cancellation) is { } frame)
        {
            if (frame.Opcode != 1 || !frame.Payload.Contains("\"partial\":false", StringComparison.Ordinal)) continue;
            if (_random.Next(2) == 0) return true;
            // The closing handshake: the same back, then the end.
            await stream.SendAsync(new byte[] { 0x88, 0x82, 0, 0, 0, 0, 3, 0xE8 }, cancellation);
            while (await stream.ReadFrameAsync(cancellation) is { } last)
            {
                if (last.Opcode == 8) return !(await stream.ReadFrameAsync(cancellation)).HasValue;
            }
            return false;
        }
        return false;
    }

    private async Task PipelineAsync(CancellationToken cancellation)
    {
        SoakConnection connection = await ConnectAsync(cancellation);
        bool isFresh = connection.IsFresh;
        int count = _random.Next(1, 12);
        byte[] one = Request("GET", _random.Next(2) == 0 ? "/user/session" : $"/chat/read?id={_chat}", "");
        await connection.SendAsync(Enumerable.Repeat(one, count).SelectMany(static r => r).ToArray(), cancellation);
        for (int i = 0; i < count; i++)
        {
            if (_random.Next(40) == 0)
            {
                for (; i < count - 1; i++) tally.Abandon();
                await LeaveAsync(cancellation);
                return;
            }
            Answer? answer = await connection.ReadAsync(isHead: false, cancellation);
            Expect(answer, 200, "a read");
            if (answer is null)
            {
                if (i > 0 || isFresh) tally.Wrong($"no answer to read {i + 1} of {count}");
                else tally.Retry();
                Drop();
                return;
            }
            tally.Answer();
        }
    }

    private async Task TunnelAsync(CancellationToken cancellation)
    {
        using SoakConnection tunnel = await OpenAsync(cancellation);
        await tunnel.SendAsync(Request("GET", "/v1/realtime?model=x", "", "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"), cancellation);
        tally.Abandon();
        if (await tunnel.ReadAsync(isHead: false, cancellation) is not { Status: 101 }) return;
        // A stalled tunnel is the origin's doing: it is left after a moment.
        using CancellationTokenSource moment = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        moment.CancelAfter(TimeSpan.FromSeconds(1));
        try
        {
            for (int i = _random.Next(4); i >= 0; i--)
            {
                int length = _random.Next(100);
                byte[] frame = [0x81, (byte)(0x80 | length), 0, 0, 0, 0, .. Encoding.ASCII.GetBytes(new string('t', length))];
                if (!await tunnel.SendAsync(frame, moment.Token) || await tunnel.ReadFrameAsync(moment.Token) is null) return;
            }
            if (_random.Next(2) == 0) return;
            await tunnel.SendAsync(new byte[] { 0x88, 0x82, 0, 0, 0, 0, 3, 0xE8 }, moment.Token);
            await tunnel.ReadToEndAsync(moment.Token);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            tunnel.Rst();
        }
    }

    private async Task MisbehaveAsync(CancellationToken cancellation)
    {
        bool isBare = server.Tls is not null && _random.Next(2) == 0;
        using SoakConnection connection = isBare ? await SoakConnection.OpenBareAsync(server, cancellation) : await OpenAsync(cancellation);
        byte[] bytes = Request("POST", "/chat/read", Form(("id", _chat)));
        switch (_random.Next(4))
        {
            case 0:
                bytes = new byte[_random.Next(1, 400)];
                _random.NextBytes(bytes);
                break;
            case 1:
                bytes = bytes[.._random.Next(1, bytes.Length)];
                break;
            case 2:
                bytes = Encoding.ASCII.GetBytes($"POST /v1/files HTTP/1.1\r\nHost: soak\r\nAuthorization: Bearer {_token}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n");
                break;
            default:
                for (int n = _random.Next(1, 6); n > 0; n--) bytes[_random.Next(bytes.Length)] = (byte)_random.Next(256);
                break;
        }
        tally.Abandon();
        switch (server.Tls is null ? -1 : _random.Next(4))
        {
            case 0 when isBare:
                // A client hello is some hundred bytes; the rest of a handshake as many.
                await connection.ShakeHandsInPartAsync(server, _random.Next(700), cancellation);
                break;
            case 1 when !isBare:
                await connection.SendBareAsync(bytes, cancellation);
                break;
        }
        if (!await connection.SendAsync(bytes, cancellation)) return;
        if (_random.Next(3) == 0)
        {
            connection.Rst();
            return;
        }
        // The server ends what it cannot read, or what never goes on.
        if (_random.Next(2) == 0) await connection.FinAsync();
        await connection.ReadToEndAsync(cancellation);
    }

    private async Task<Answer?> CallAsync(string method, string target, string form, CancellationToken cancellation, bool isOpen = false)
    {
        while (true)
        {
            SoakConnection connection = await ConnectAsync(cancellation);
            bool isFresh = connection.IsFresh;
            await connection.SendAsync(Request(method, target, form, isOpen: isOpen), cancellation);
            Answer? answer = await connection.ReadAsync(isHead: false, cancellation);
            if (answer is not { End: AnswerEnd.Whole, Closes: false }) Drop();
            if (answer is null && !isFresh)
            {
                tally.Retry();
                continue;
            }
            if (answer is { End: AnswerEnd.Whole }) tally.Answer();
            else tally.Wrong($"{method} {target}: {(answer is null ? "no answer" : "a broken one")}");
            return answer;
        }
    }

    private byte[] Request(string method, string target, string form, string fields = "", bool isOpen = false) => Encoding.Latin1.GetBytes(
        $"{method} {target} HTTP/1.1\r\nHost: soak\r\n{(isOpen ? "" : $"Authorization: Bearer {_token}\r\n")}{fields}"
        + (form.Length > 0 ? $"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {form.Length.ToString(CultureInfo.InvariantCulture)}\r\n\r\n{form}" : "\r\n"));

    private static string Form(params (string Name, string Value)[] fields) => string.Join('&', fields.Select(static f => f.Name + "=" + Uri.EscapeDataString(f.Value)));

    private void Expect(Answer? answer, int status, string what)
    {
        if (answer is not null && answer.Status != status) tally.Wrong($"{what}: {answer.Status} {answer.Content}");
    }

    private async Task<SoakConnection> ConnectAsync(CancellationToken cancellation)
    {
        if (_random.Next(10) == 0) Drop();
        return _connection ??= await OpenAsync(cancellation);
    }

    // Goes away as people do: at once, or after a FIN that nothing follows.
    private async Task LeaveAsync(CancellationToken cancellation)
    {
        tally.Abandon();
        switch (_random.Next(3))
        {
            case 0: _connection!.Rst(); break;
            case 1:
                await _connection!.FinAsync();
                await _connection.ReadToEndAsync(cancellation);
                break;
        }
        Drop();
    }

    private async Task<SoakConnection> OpenAsync(CancellationToken cancellation)
    {
        SoakConnection connection = await SoakConnection.OpenAsync(server, cancellation);
        // Many a client closes without a word; in TLS that may be anyone's cut.
        connection.EndsTls = _random.Next(2) == 0;
        if (server.Tls is not null) tally.ShakeHands(connection.EndsTls);
        return connection;
    }

    private void Drop()
    {
        _connection?.Dispose();
        _connection = null;
    }
}
