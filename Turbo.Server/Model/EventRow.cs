namespace Turbo.Server.Model;

/// <summary>
/// One row of <c>events</c> on its way to the database: reused, its texts in pooled buffers. What is read back
/// is an <see cref="EventRecord"/>.
/// </summary>
internal sealed class EventRow
{
    /// <summary>
    /// A UUID whose leading bits are the time (version 7): rows then arrive in the order of their primary key,
    /// and a batch touches a few pages of its index rather than one page a row.
    /// </summary>
    public Guid Id { get; set; }

    /// <summary>When the request arrived, UTC.</summary>
    public DateTime Timestamp { get; set; }

    /// <summary>When the row was completed, UTC.</summary>
    public DateTime CreatedAt { get; set; }

    public TextBuffer ClientIp { get; } = new();
    public TextBuffer Method { get; } = new();

    /// <summary>The path, without the query.</summary>
    public TextBuffer Endpoint { get; } = new();

    /// <summary>The parameters as a form, secrets removed.</summary>
    public TextBuffer Params { get; } = new();

    /// <summary>The first EVENT_BODIES bytes of the request's content, secrets removed.</summary>
    public TextBuffer Request { get; } = new();

    /// <summary>The first EVENT_BODIES bytes of the response's content, secrets removed.</summary>
    public TextBuffer Response { get; } = new();

    public int Status { get; set; }

    /// <summary>What went wrong, where something did.</summary>
    public TextBuffer Message { get; } = new();

    /// <summary>Nanoseconds from the request's arrival to the response's last byte.</summary>
    public long Duration { get; set; }

    /// <summary>Whose session it was; empty without one.</summary>
    public string UserId { get; set; } = "";

    /// <summary>The model that the reply names; empty without one.</summary>
    public TextBuffer Model { get; } = new();

    public long? PromptTokens { get; set; }
    public long? CompletionTokens { get; set; }
    public long? TotalTokens { get; set; }

    /// <summary>Nanoseconds from the request's arrival to the upstream response's first byte.</summary>
    public long? Ttfb { get; set; }

    /// <summary>Memory this row holds, in bytes: what the writer's bound counts.</summary>
    public int HeldBytes => 512 + ClientIp.HeldBytes + Method.HeldBytes + Endpoint.HeldBytes + Params.HeldBytes +
        Request.HeldBytes + Response.HeldBytes + Message.HeldBytes + Model.HeldBytes;

    /// <summary>The row added before this one, while both wait in a queue.</summary>
    internal EventRow? Next { get; set; }

    /// <summary><see cref="HeldBytes"/> when it was queued.</summary>
    internal int ChargedBytes { get; set; }

    public void Reset()
    {
        Next = null;
        ChargedBytes = 0;
        Id = default;
        Timestamp = CreatedAt = default;
        ClientIp.Reset();
        Method.Reset();
        Endpoint.Reset();
        Params.Reset();
        Request.Reset();
        Response.Reset();
        Status = 0;
        Message.Reset();
        Duration = 0;
        UserId = "";
        Model.Reset();
        PromptTokens = CompletionTokens = TotalTokens = Ttfb = null;
    }
}

/// <summary>A row of <c>events</c> as read back.</summary>
internal sealed record EventRecord
{
    public required string Id { get; init; }
    public DateTime Timestamp { get; init; }
    public string ClientIp { get; init; } = "";
    public string Endpoint { get; init; } = "";
    public string Request { get; init; } = "";
    public string Response { get; init; } = "";
    public int Status { get; init; }
    public string Message { get; init; } = "";
    public long Duration { get; init; }
    public string Method { get; init; } = "";
    public string Params { get; init; } = "";
    public string UserId { get; init; } = "";
    public string Model { get; init; } = "";
    public long? PromptTokens { get; init; }
    public long? CompletionTokens { get; init; }
    public long? TotalTokens { get; init; }
    public long? Ttfb { get; init; }

    public override string ToString() => $"EventRecord {Id}";
}

/// <summary>Token usage summed over events of one user and one model.</summary>
internal sealed record UsageSum(
    string UserId, string Username, string Model, long Calls, long PromptTokens, long CompletionTokens, long TotalTokens);
