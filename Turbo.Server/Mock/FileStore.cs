using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Turbo.Server.Mock;

/// <summary>
/// /v1/files: uploads remembered by name, length and hash, small ones with their content. A ring of slots: the newest
/// file takes the oldest one's, so it is bounded without a lock.
/// </summary>
internal sealed class FileStore(MockOptions options)
{
    private const string IdPrefix = "file-mock-";

    private readonly MockFile?[] _slots = new MockFile?[options.MaxFiles];
    private long _last;

    private sealed record MockFile(long Number, long CreatedAt, string Name, string Purpose, long Bytes, string Sha256, byte[]? Content)
    {
        public string Id { get; } = IdPrefix + Number.ToString(CultureInfo.InvariantCulture);
    }

    public async ValueTask CreateAsync(MockCall call)
    {
        if (await FormUpload.ReadAsync(call, options.MaxKeptBytes).ConfigureAwait(false) is not { } upload) return;
        if (upload.FileName is null) throw MockJson.Missing("file");
        if (!upload.Fields.TryGetValue("purpose", out string? purpose)) throw MockJson.Missing("purpose");
        long number = Interlocked.Increment(ref _last);
        MockFile file = new(number, call.Now, upload.FileName, purpose, upload.Bytes, upload.Sha256, upload.Content);
        Volatile.Write(ref _slots[number % _slots.Length], file);
        Write(call.BeginJson(), file);
        call.SendJson();
    }

    public ValueTask ListAsync(MockCall call)
    {
        List<MockFile> files = [];
        for (int i = 0; i < _slots.Length; i++)
        {
            if (Volatile.Read(ref _slots[i]) is { } file) files.Add(file);
        }
        // Newest first, as OpenAI lists.
        files.Sort(static (a, b) => b.Number.CompareTo(a.Number));

        Utf8JsonWriter json = call.BeginJson();
        json.WriteStartObject();
        json.WriteString("object"u8, "list"u8);
        json.WriteStartArray("data"u8);
        foreach (MockFile file in files) Write(json, file);
        json.WriteEndArray();
        json.WriteString("first_id"u8, files is [var first, ..] ? first.Id : null);
        json.WriteString("last_id"u8, files is [.., var last] ? last.Id : null);
        json.WriteBoolean("has_more"u8, false);
        json.WriteEndObject();
        call.SendJson();
        return default;
    }

    /// <summary>/v1/files/ID and /v1/files/ID/content</summary>
    public ValueTask ReadAsync(MockCall call)
    {
        string asked = Asked(call);
        bool isContent = asked.EndsWith("/content", StringComparison.Ordinal);
        MockFile file = Find(isContent ? asked[..^"/content".Length] : asked);
        if (!isContent)
        {
            Write(call.BeginJson(), file);
            call.SendJson();
            return default;
        }
        if (file.Content is null) throw MockErrorException.Invalid($"The mock keeps the content of files up to {options.MaxKeptBytes} bytes; this one has {file.Bytes}.", "file_id");
        call.Exchange.Response.Send(200, "application/octet-stream"u8, file.Content);
        return default;
    }

    public ValueTask DeleteAsync(MockCall call)
    {
        MockFile file = Find(Asked(call));
        Interlocked.CompareExchange(ref _slots[file.Number % _slots.Length], null, file);
        Utf8JsonWriter json = call.BeginJson();
        json.WriteStartObject();
        json.WriteString("id"u8, file.Id);
        json.WriteString("object"u8, "file"u8);
        json.WriteBoolean("deleted"u8, true);
        json.WriteEndObject();
        call.SendJson();
        return default;
    }

    private static string Asked(MockCall call) => Encoding.ASCII.GetString(call.Exchange.Path["/v1/files/"u8.Length..]);

    private MockFile Find(string id)
    {
        if (id.StartsWith(IdPrefix, StringComparison.Ordinal)
            && long.TryParse(id.AsSpan(IdPrefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out long number)
            && Volatile.Read(ref _slots[number % _slots.Length]) is { } file && file.Number == number)
            return file;
        throw MockErrorException.NotFound($"No such File object: {id}", "id");
    }

    private static void Write(Utf8JsonWriter json, MockFile file)
    {
        json.WriteStartObject();
        json.WriteString("object"u8, "file"u8);
        json.WriteString("id"u8, file.Id);
        json.WriteString("purpose"u8, file.Purpose);
        json.WriteString("filename"u8, file.Name);
        json.WriteNumber("bytes"u8, file.Bytes);
        json.WriteNumber("created_at"u8, file.CreatedAt);
        json.WriteString("status"u8, "processed"u8);
        // Not OpenAI's: lets a test see that a large upload arrived whole.
        json.WriteString("sha256"u8, file.Sha256);
        json.WriteEndObject();
    }
}
