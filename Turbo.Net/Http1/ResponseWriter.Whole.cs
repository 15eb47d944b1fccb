using System.Buffers.Text;

namespace Turbo.Net;

/// <summary>The usual response at one go: 200 with content that fits the output's block, to a client that stays.</summary>
public sealed partial class ResponseWriter
{
    // Content-Length with its digits, the names of both fields and all line ends, at most.
    private const int MaxFramingBytes = 64;

    /// <summary>False where it is not the usual one: nothing was written then.</summary>
    private bool TrySendOk(ReadOnlySpan<byte> contentType, ReadOnlySpan<byte> content)
    {
        if (_state != State.Empty || _exchange.Version != 11 || _exchange.Server.Options.WriteCommonFields is not null || !PresetLines.IsEmpty) return false;
        _exchange.SettlePersistence();
        // Such a field value has an exception to throw.
        if (!_exchange.IsPersistent || contentType.IsEmpty || contentType.IndexOfAny((byte)'\r', (byte)'\n', (byte)0) >= 0) return false;
        TakeOutput();
        ReadOnlySpan<byte> head = _exchange.Server.Clock.OkHead;
        Span<byte> span = _output.GetSpan(1);
        if (head.Length + contentType.Length + MaxFramingBytes + (long)content.Length > span.Length) return false;

        Span<byte> to = span;
        head.CopyTo(to);
        to = to[head.Length..];
        "Content-Type: "u8.CopyTo(to);
        to = to["Content-Type: "u8.Length..];
        contentType.CopyTo(to);
        to = to[contentType.Length..];
        "\r\nContent-Length: "u8.CopyTo(to);
        to = to["\r\nContent-Length: "u8.Length..];
        Utf8Formatter.TryFormat(content.Length, to, out int digits);
        to = to[digits..];
        "\r\n\r\n"u8.CopyTo(to);
        to = to[4..];
        IsHeadOnly = _exchange.Method == HttpMethod.Head;
        if (!IsHeadOnly)
        {
            content.CopyTo(to);
            to = to[content.Length..];
        }
        _output.Advance(span.Length - to.Length);
        Unflushed += span.Length - to.Length;
        Status = 200;
        ContentBytes = content.Length;
        _left = 0;
        _state = State.Length;
        return true;
    }
}
