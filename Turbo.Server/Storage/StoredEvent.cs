using Turbo.Server.Model;

namespace Turbo.Server.Storage;

/// <summary>A row that was found, by the place of its columns. NULL is "", 0 or the zero time where the answer has no null.</summary>
internal interface IStoredRow
{
    string Text(int column);

    long Int64(int column);

    long? Int64OrNull(int column);

    DateTime Time(int column);
}

/// <summary>What an event is read from, on either database.</summary>
internal static class StoredEvent
{
    /// <summary>All but the bodies, behind which a row lies and which a list does without.</summary>
    public const string Columns = """
        id, timestamp, client_ip, endpoint, status, message, duration, method, params, user_id,
        model, prompt_tokens, completion_tokens, total_tokens, ttfb
        """;

    /// <summary><see cref="Columns"/> and the bodies.</summary>
    public const string AllColumns = $"{Columns}, request, response";

    /// <summary>A row of <see cref="Columns"/>, or of <see cref="AllColumns"/>.</summary>
    public static EventRecord Read<TRow>(TRow row, bool hasBodies)
        where TRow : IStoredRow => new()
        {
            Id = row.Text(0),
            Timestamp = row.Time(1),
            ClientIp = row.Text(2),
            Endpoint = row.Text(3),
            Status = (int)row.Int64(4),
            Message = row.Text(5),
            Duration = row.Int64(6),
            Method = row.Text(7),
            Params = row.Text(8),
            UserId = row.Text(9),
            Model = row.Text(10),
            PromptTokens = row.Int64OrNull(11),
            CompletionTokens = row.Int64OrNull(12),
            TotalTokens = row.Int64OrNull(13),
            Ttfb = row.Int64OrNull(14),
            Request = hasBodies ? row.Text(15) : "",
            Response = hasBodies ? row.Text(16) : "",
        };
}
