namespace Turbo.Server.OpenApi;

/// <summary>The form of a JSON value, as a JSON Schema (2020-12, that of OpenAPI 3.1) tells it.</summary>
internal sealed record Shape(string Type)
{
    public static Shape Text { get; } = new("string");
    public static Shape Integer { get; } = new("integer");
    public static Shape Flag { get; } = new("boolean");

    /// <summary>RFC 3339, UTC.</summary>
    public static Shape Time { get; } = new("string") { Format = "date-time" };

    /// <summary>The name it is listed under, once for all that have it; null: it is written where it stands.</summary>
    public string? Name { get; init; }

    public string Meaning { get; init; } = "";

    public string? Format { get; init; }

    public bool IsNullable { get; init; }

    /// <summary>Of a string: every value that it may have; empty: any.</summary>
    public string[] Values { get; init; } = [];

    /// <summary>Of an object, in the order in which they come.</summary>
    public Property[] Properties { get; init; } = [];

    /// <summary>Of an array.</summary>
    public Shape? Items { get; init; }

    public static Shape ArrayOf(Shape items) => new("array") { Items = items };

    /// <summary>An object, listed under a name.</summary>
    public static Shape Named(string name, string meaning, params Property[] properties) => new("object") { Name = name, Meaning = meaning, Properties = properties };

    /// <summary>An object that belongs to one route.</summary>
    public static Shape Object(params Property[] properties) => new("object") { Properties = properties };

    /// <param name="Name">As it is written.</param>
    /// <param name="Shape">Its value's.</param>
    /// <param name="Meaning">Where the name does not say it.</param>
    /// <param name="IsOptional">Whether it may be left out.</param>
    internal sealed record Property(string Name, Shape Shape, string Meaning = "", bool IsOptional = false);
}
