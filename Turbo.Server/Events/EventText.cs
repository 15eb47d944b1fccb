using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using Turbo.Server.Model;

namespace Turbo.Server.Events;

/// <summary>
/// Makes a row fit to be stored and published: secrets out of its texts, every text valid UTF-8 without NUL (which
/// PostgreSQL refuses). Runs in the background, with buffers of its own; one thread at a time.
/// </summary>
internal sealed class EventText
{
    private readonly TextBuffer _scratch = new();

    /// <summary>Whether the contents of this path's requests and responses are never stored (contract section 9).</summary>
    public static bool IsUnrecorded(ReadOnlySpan<byte> endpoint) =>
        endpoint.SequenceEqual("/user/signup"u8) || endpoint.SequenceEqual("/user/login"u8) ||
        endpoint.SequenceEqual("/user/logout"u8) || endpoint.SequenceEqual("/user/password/update"u8);

    public void Clean(EventRow row)
    {
        ReadOnlySpan<byte> endpoint = row.Endpoint.Span;
        if (IsUnrecorded(endpoint))
        {
            row.Request.Reset();
            row.Response.Reset();
        }
        RedactForm(row.Params);
        if (endpoint.StartsWith("/v1/"u8))
            RedactRelayedContent(row.Request);
        else
            RedactOwnContent(row.Request);
        RedactJson(row.Response);
        Repair(row.ClientIp);
        Repair(row.Method);
        Repair(row.Endpoint);
        Repair(row.Params);
        Repair(row.Request);
        Repair(row.Response);
        Repair(row.Message);
        Repair(row.Model);
    }

    /// <summary>
    /// Our own routes read JSON and forms. What is neither was refused, and nobody can say what is a secret in it: it
    /// is not kept.
    /// </summary>
    private void RedactOwnContent(TextBuffer content)
    {
        ReadOnlySpan<byte> text = content.Span.TrimStart(" \t\r\n"u8);
        if (text.IsEmpty)
            return;
        bool isJson = text[0] is (byte)'{' or (byte)'[';
        if (text.StartsWith("--"u8) || isJson && !IsJson(text))
        {
            content.Reset();
            return;
        }
        if (!isJson)
            RedactForm(content);
        RedactJson(content);
    }

    /// <summary>What goes to OpenAI is its to judge: JSON, a form or any other text.</summary>
    private void RedactRelayedContent(TextBuffer content)
    {
        if (content.Span.TrimStart(" \t\r\n"u8) is not [(byte)'{' or (byte)'[', ..])
            RedactForm(content);
        RedactJson(content);
    }

    /// <summary>Whether this is JSON as far as it goes: the limit may have cut it off.</summary>
    private static bool IsJson(ReadOnlySpan<byte> text)
    {
        var reader = new Utf8JsonReader(text, isFinalBlock: false, default);
        try
        {
            while (reader.Read())
            {
            }
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private void RedactForm(TextBuffer text)
    {
        _scratch.Truncate(0);
        if (Redaction.TryCopyForm(text.Span, _scratch))
            text.Set(_scratch.Span);
    }

    private void RedactJson(TextBuffer text)
    {
        _scratch.Truncate(0);
        if (Redaction.TryCopyJson(text.Span, _scratch))
            text.Set(_scratch.Span);
    }

    private void Repair(TextBuffer text)
    {
        if (text.Length == 0 || Utf8.IsValid(text.Span) && !text.Span.Contains((byte)0))
            return;
        _scratch.Truncate(0);
        ReadOnlySpan<byte> left = text.Span;
        Span<byte> encoded = stackalloc byte[4];
        while (!left.IsEmpty)
        {
            OperationStatus status = Rune.DecodeFromUtf8(left, out Rune rune, out int used);
            // A character that the limit cut in two is left out; anything else that is none becomes U+FFFD.
            if (status == OperationStatus.NeedMoreData)
                break;
            if (rune.Value == 0)
                rune = Rune.ReplacementChar;
            _scratch.Append(encoded[..rune.EncodeToUtf8(encoded)]);
            left = left[used..];
        }
        text.Set(_scratch.Span);
    }
}
