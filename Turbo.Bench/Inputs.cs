using System.Text;

namespace Turbo.Bench;

/// <summary>The requests that every rung measures with, so that figures can be compared between them.</summary>
internal static class Inputs
{
    /// <summary>What a load generator sends.</summary>
    public static readonly byte[] Plaintext = Encoding.ASCII.GetBytes(
        "GET /plaintext HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nAuthorization: Bearer 0123456789abcdef0123456789abcdef0123456789a=\r\n\r\n");

    /// <summary>What a browser sends.</summary>
    public static readonly byte[] Browser = Encoding.ASCII.GetBytes(
        "GET /chat/index?limit=20 HTTP/1.1\r\nHost: chat.example.com\r\nConnection: keep-alive\r\nsec-ch-ua: \"Chromium\";v=\"140\"\r\n"
        + "sec-ch-ua-mobile: ?0\r\nsec-ch-ua-platform: \"Linux\"\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n"
        + "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\n"
        + "Referer: https://chat.example.com/\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9\r\nCookie: sess=0123456789abcdef0123456789abcdef0123456789a=\r\n\r\n");

    /// <summary>Sixteen requests in one packet.</summary>
    public static readonly byte[] Pipelined16 = [.. Enumerable.Repeat(Plaintext, 16).SelectMany(static r => r)];

    /// <summary>A chunked body as an event stream is framed: 32 chunks of 200 bytes.</summary>
    public static readonly byte[] Chunked = Encoding.ASCII.GetBytes(
        string.Concat(Enumerable.Repeat($"c8\r\n{new string('x', 200)}\r\n", 32)) + "0\r\n\r\n");

    /// <summary>A WebSocket's opening handshake.</summary>
    public static readonly byte[] WebSocketHandshake = Encoding.ASCII.GetBytes(
        "GET /ws HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");

    /// <summary>A masked text frame of 64 octets.</summary>
    public static readonly byte[] SmallFrame = [0x81, 0x80 | 64, 1, 2, 3, 4, .. Enumerable.Range(0, 64).Select(static i => (byte)('a' ^ ((i % 4) + 1)))];

    /// <summary>Sixteen of them in one packet.</summary>
    public static readonly byte[] SmallFrames16 = [.. Enumerable.Repeat(SmallFrame, 16).SelectMany(static f => f)];

    /// <summary>The head of an upstream's answer to a chat completion.</summary>
    public static readonly byte[] Response = Encoding.ASCII.GetBytes(
        "HTTP/1.1 200 OK\r\nDate: Mon, 23 Nov 2026 17:59:19 GMT\r\nContent-Type: application/json\r\nContent-Length: 612\r\nConnection: keep-alive\r\n"
        + "access-control-expose-headers: X-Request-ID\r\nopenai-organization: org-bench\r\nopenai-processing-ms: 412\r\nopenai-version: 2020-10-01\r\n"
        + "x-ratelimit-limit-requests: 10000\r\nx-ratelimit-remaining-requests: 9999\r\nx-request-id: req_0123456789abcdef0123456789abcdef\r\n"
        + "strict-transport-security: max-age=31536000; includeSubDomains; preload\r\nServer: upstream\r\n\r\n");

    /// <summary>A form of six fields.</summary>
    public static readonly byte[] Form = "id=7b0c1f0a-6c3e-4d0a-9a0e-2f6d7d1b9c11&prompt=What+is+the+weather+in+M%C3%BCnchen%3F&context=10&stream=false&otr=0&name=general"u8.ToArray();

    /// <summary>A prompt as a JSON object.</summary>
    public static readonly byte[] Json = """{"id":"7b0c1f0a-6c3e-4d0a-9a0e-2f6d7d1b9c11","prompt":"What is the \"weather\" in München?","context":10,"stream":false,"otr":false}"""u8.ToArray();
}
