namespace Turbo.Server.OpenApi;

/// <summary>
/// What a route does, for its caller: it stands beside the handler in <see cref="Routes"/>, and <c>/openapi.json</c> and
/// <c>/docs</c> are written from it.
/// </summary>
/// <param name="Summary">One line, without a full stop.</param>
internal sealed record RouteDescription(string Summary)
{
    /// <summary>What the summary leaves open, in sentences; code in <c>`marks`</c>.</summary>
    public string Details { get; init; } = "";

    /// <summary>All that the handler reads, in the order in which they matter.</summary>
    public ParameterDescription[] Parameters { get; init; } = [];

    /// <summary>The answer's JSON; null where it has none.</summary>
    public Shape? Answer { get; init; } = Shapes.Empty;

    /// <summary>The answer's media type.</summary>
    public string MediaType { get; init; } = "application/json";

    /// <summary>What a stream carries, each event or WebSocket message; null where the route is none.</summary>
    public Shape? Streamed { get; init; }

    /// <summary>Whether a public route does something with a session that is presented as Bearer or cookie.</summary>
    public bool TakesSession { get; init; }

    /// <summary>Whether <c>redirect_url</c> makes the answer a redirection.</summary>
    public bool Redirects { get; init; }

    /// <summary>What may be wrong besides a parameter, the session and the server itself, which are any route's.</summary>
    public ErrorDescription[] Errors { get; init; } = [];
}

/// <summary>An error that a route has for a reason of its own.</summary>
internal sealed record ErrorDescription(int Status, string Code, string When);

/// <summary>What a parameter's value is, in whichever way it comes.</summary>
internal enum ParameterKind
{
    Text,
    /// <summary>A JSON number, or digits.</summary>
    Integer,
    /// <summary>A JSON boolean, or true, false, 1 or 0.</summary>
    Flag,
    /// <summary>A JSON array of strings, a repeated field, or one value separated by commas.</summary>
    List,
    /// <summary>Any JSON; text in a form or a query.</summary>
    Any,
}

/// <summary>A parameter of a route, from the query, a form or a JSON body.</summary>
internal sealed record ParameterDescription(string Name, string Meaning, ParameterKind Kind = ParameterKind.Text)
{
    public bool IsRequired { get; init; }

    /// <summary>Characters, at most; null: a variable's to say, or the body's size.</summary>
    public int? MaxLength { get; init; }

    public int? Min { get; init; }

    /// <summary>A value to show.</summary>
    public string Example { get; init; } = "";

    /// <summary>Whether an example of the route has it though it is not required.</summary>
    public bool IsTypical { get; init; }

    /// <summary>Another name that the parameter may come under, where the first is absent.</summary>
    public string? Alias { get; init; }

    /// <summary>What comes under that name, where it is not the same.</summary>
    public ParameterKind? AliasKind { get; init; }

    /// <summary>The parameter under its other name.</summary>
    public ParameterDescription Other => this with
    {
        Name = Alias!, Kind = AliasKind ?? Kind, Meaning = $"another name of `{Name}`, where that is absent", Alias = null, IsRequired = false,
    };

    /// <summary>Never to be shown once it is typed.</summary>
    public bool IsSecret { get; init; }

    public ParameterDescription Required() => this with { IsRequired = true };
}
