using System.Buffers;
using System.Text;
using Turbo.Net;
using Turbo.Net.Content;
using Turbo.Net.Http1;
using Turbo.Net.WebSocket;

namespace Turbo.Tests.Allocation.Operations;

/// <summary>The readers alone.</summary>
internal static class Readers
{
    private static readonly byte[] s_request = Encoding.ASCII.GetBytes(
        "POST /chat/prompt?x=1 HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: application/json\r\nContent-Type: application/json\r\nContent-Length: 7\r\nCookie: sess=abc\r\n\r\n");

    private static readonly byte[] s_response = Encoding.ASCII.GetBytes(
        "HTTP/1.1 200 OK\r\nDate: Mon, 23 Nov 2026 17:59:19 GMT\r\nContent-Type: application/json\r\nContent-Length: 612\r\nx-request-id: req_0123456789abcdef\r\n\r\n");

    private static readonly byte[] s_chunks = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat($"c8;a=b\r\n{new string('x', 200)}\r\n", 8)) + "0\r\nTrailer-Field: value\r\n\r\n");

    private static readonly byte[] s_form = "id=7b0c1f0a&prompt=What+is+the+weather+in+M%C3%BCnchen%3F&context=10&stream=false"u8.ToArray();

    private static readonly byte[] s_json = """{"id":"7b0c1f0a","prompt":"What is the \"weather\"?","context":10,"stream":false,"users":["a","b"],"more":{"a":[1]}}"""u8.ToArray();

    public static double RequestHead()
    {
        RequestHead head = new();
        ServerLimits limits = new();
        return Allocated.By(() =>
        {
            head.Reset();
            Check(Http1Parser.ReadRequestHead(s_request, head, limits, out int length) == ParseStatus.Complete);
            head.Take(s_request.AsSpan(0, length));
            Check(MessageFraming.OfRequest(head, out _, out long content) == RejectReason.None && content == 7);
            Check(head.Fields.TryGet(KnownField.Cookie, out _) && head.Fields.TryGet("accept"u8, out _));
        });
    }

    public static double ResponseHead()
    {
        ResponseHead head = new();
        return Allocated.By(() =>
        {
            head.Reset();
            Check(Http1Parser.ReadResponseHead(s_response, head, 64 * 1024, 256, out int length) == ParseStatus.Complete);
            head.Take(s_response.AsSpan(0, length));
        });
    }

    public static double ChunkedBody()
    {
        ServerLimits limits = new();
        TrailerSection trailers = new();
        return Allocated.By(() =>
        {
            ChunkedReader reader = default;
            trailers.Reset();
            ReadOnlySequence<byte> input = new(s_chunks);
            long total = 0;
            while (!reader.IsDone)
            {
                Check(reader.Read(ref input, out ReadOnlySequence<byte> data, limits, trailers) == ParseStatus.Complete);
                total += data.Length;
            }
            Check(total == 1600);
        });
    }

    public static double Form()
    {
        byte[] decoded = new byte[256];
        return Allocated.By(() =>
        {
            FormReader reader = new(s_form);
            int fields = 0;
            for (; reader.Read(out FormField field); fields++) Check(FormReader.TryDecode(field.Name, decoded, out _) && FormReader.TryDecode(field.Value, decoded, out _));
            Check(fields == 4 && reader.Error == ContentError.None);
        });
    }

    public static double Json()
    {
        byte[] text = new byte[256];
        return Allocated.By(() =>
        {
            JsonFields reader = new(s_json);
            Span<byte> name = stackalloc byte[64];
            int fields = 0;
            for (; reader.Read(name, out _); fields++)
            {
                if (reader.Kind == JsonFieldKind.Array) while (reader.ReadElement()) Check(reader.TryCopyValue(text, out _));
                else Check(reader.TryCopyValue(text, out _));
            }
            Check(fields == 6 && reader.Error == ContentError.None);
        });
    }

    public static double WebSocketFrame()
    {
        byte[] frame = [0x81, 0x80 | 64, 1, 2, 3, 4, .. new byte[64]];
        return Allocated.By(() =>
        {
            Check(FrameHeader.Read(frame, FrameRules.Masked, out FrameHeader header, out int length) == ParseStatus.Complete);
            Masking.Apply(frame.AsSpan(length), header.MaskingKey, 0);
            Utf8Check text = default;
            Check(text.Append("the payload of a text message"u8) && text.IsComplete);
        });
    }

    private static void Check(bool isRight)
    {
        if (!isRight) throw new InvalidDataException("not read as it is");
    }
}
