using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Turbo.Server.Model;

namespace Turbo.Server.Json;

/// <summary>
/// The one way to write JSON: a writer kept per thread and reset for each value. Text beyond ASCII stays as it is,
/// as in the Go program's answers.
/// </summary>
internal static class JsonOutput
{
    private static readonly JsonWriterOptions s_options = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        // Shapes are written by hand and read back by the tests.
        SkipValidation = true,
    };

    [ThreadStatic] private static Utf8JsonWriter? t_writer;

    /// <summary>Writes one value to <paramref name="output"/> without allocating once the thread has its writer.</summary>
    public static void Write<TState>(IBufferWriter<byte> output, TState state, Action<Utf8JsonWriter, TState> write)
        where TState : allows ref struct
    {
        // Taken while in use, so that a value written within another gets a writer of its own.
        Utf8JsonWriter writer = t_writer ?? new Utf8JsonWriter(output, s_options);
        t_writer = null;
        writer.Reset(output);
        write(writer, state);
        writer.Flush();
        writer.Reset(NoOutput.Instance);
        t_writer = writer;
    }

    /// <summary>RFC 3339 with the fraction trimmed, UTC, Z.</summary>
    public static void WriteTime(this Utf8JsonWriter writer, JsonEncodedText name, DateTime utc)
    {
        Span<byte> text = stackalloc byte[GoTime.MaxLength];
        writer.WriteString(name, text[..GoTime.FormatJson(utc, text)]);
    }

    /// <summary>What every entity begins with.</summary>
    public static void WriteTimes(this Utf8JsonWriter writer, DateTime createdAt, DateTime updatedAt, DateTime? deletedAt)
    {
        writer.WriteTime(Names.CreatedAt, createdAt);
        writer.WriteTime(Names.UpdatedAt, updatedAt);
        if (deletedAt is { } deleted)
            writer.WriteTime(Names.DeletedAt, deleted);
        else
            writer.WriteNull(Names.DeletedAt);
    }

    private static class Names
    {
        public static readonly JsonEncodedText CreatedAt = JsonEncodedText.Encode("CreatedAt");
        public static readonly JsonEncodedText UpdatedAt = JsonEncodedText.Encode("UpdatedAt");
        public static readonly JsonEncodedText DeletedAt = JsonEncodedText.Encode("DeletedAt");
    }

    /// <summary>What an idle writer points at, so that it keeps no one's buffer alive.</summary>
    private sealed class NoOutput : IBufferWriter<byte>
    {
        public static readonly NoOutput Instance = new();

        public void Advance(int count) => throw new InvalidOperationException("an idle writer was written to");

        public Memory<byte> GetMemory(int sizeHint) => throw new InvalidOperationException("an idle writer was written to");

        public Span<byte> GetSpan(int sizeHint) => throw new InvalidOperationException("an idle writer was written to");
    }
}
