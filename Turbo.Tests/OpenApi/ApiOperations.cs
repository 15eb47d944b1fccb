using System.Text.Json;

namespace Turbo.Tests.OpenApi;

/// <summary>A parameter as the document tells it.</summary>
internal sealed record DescribedParameter(string Name, JsonElement Schema, bool IsRequired)
{
    public string Type => Schema.TryGetProperty("type", out JsonElement type) ? type.GetString()! : "any";

    /// <summary>The other name of one that has two; null for the first of them.</summary>
    public string? AliasOf { get; init; }

    /// <summary>The example that the document has for it, as a form has it.</summary>
    public string Example => Schema.TryGetProperty("examples", out JsonElement examples) ? Form(examples[0]) : throw new AssertionException($"{Name} has no example");

    private static string Form(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => value.GetString()!,
        JsonValueKind.Array => Form(value[0]),
        _ => value.GetRawText(),
    };
}

/// <summary>An operation as the document tells it, read back from the JSON alone.</summary>
internal sealed record DescribedOperation(string Path, string Method, JsonElement Json)
{
    public List<DescribedParameter> Parameters { get; } = [.. Read(Json)];

    public bool HasBody => Json.TryGetProperty("requestBody", out JsonElement body) && body.GetProperty("content").TryGetProperty("application/json", out _);

    public bool NeedsSession => Json.GetProperty("security").EnumerateArray().Select(static one => one.EnumerateObject().Any()).DefaultIfEmpty(false).All(static isOne => isOne);

    public bool IsStream => Json.GetProperty("responses").GetProperty("200").GetProperty("content").TryGetProperty("text/event-stream", out _);

    public bool HasResponse(int status) => Json.GetProperty("responses").TryGetProperty($"{status}", out _);

    public static IEnumerable<DescribedOperation> All(JsonElement document) =>
        from path in document.GetProperty("paths").EnumerateObject()
        from method in path.Value.EnumerateObject()
        select new DescribedOperation(path.Name, method.Name, method.Value);

    public override string ToString() => $"{Method} {Path}";

    private static IEnumerable<DescribedParameter> Read(JsonElement operation)
    {
        if (operation.TryGetProperty("parameters", out JsonElement inQuery))
        {
            foreach (JsonElement one in inQuery.EnumerateArray())
            {
                if (one.GetProperty("in").GetString() != "query") continue;
                yield return Of(one.GetProperty("name").GetString()!, one.GetProperty("schema"), one.GetProperty("description").GetString()!,
                    one.TryGetProperty("required", out JsonElement required) && required.GetBoolean());
            }
        }
        if (!operation.TryGetProperty("requestBody", out JsonElement body) || !body.GetProperty("content").TryGetProperty("application/json", out JsonElement content)) yield break;
        JsonElement schema = content.GetProperty("schema");
        string[] all = schema.TryGetProperty("required", out JsonElement names) ? [.. names.EnumerateArray().Select(static name => name.GetString()!)] : [];
        foreach (JsonProperty property in schema.GetProperty("properties").EnumerateObject())
            yield return Of(property.Name, property.Value, property.Value.GetProperty("description").GetString()!, all.Contains(property.Name));
    }

    private static DescribedParameter Of(string name, JsonElement schema, string meaning, bool isRequired)
    {
        const string other = "another name of `";
        return new DescribedParameter(name, schema, isRequired)
        {
            AliasOf = meaning.StartsWith(other, StringComparison.Ordinal) ? meaning[other.Length..meaning.IndexOf('`', other.Length)] : null,
        };
    }
}
