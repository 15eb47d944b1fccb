using System.Text.Json;

namespace Turbo.Server.Mock;

/// <summary>Reads one JSON object of a request; the reader stands on its '{'.</summary>
internal delegate T JsonShape<T>(ref Utf8JsonReader reader);

/// <summary>Small steps over a request's JSON, which refuse a wrong type as OpenAI does: 400, naming the field.</summary>
internal static class MockJson
{
    /// <exception cref="MockErrorException">It is not one JSON object, or has a field of a wrong type.</exception>
    public static T Read<T>(ReadOnlySpan<byte> json, JsonShape<T> shape)
    {
        try
        {
            Utf8JsonReader reader = new(json);
            reader.Read();
            if (reader.TokenType != JsonTokenType.StartObject) throw Unreadable();
            T value = shape(ref reader);
            // Throws when something follows.
            reader.Read();
            return value;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a string that is not Unicode.
            throw Unreadable();
        }
    }

    /// <summary>Steps to the next field's name; false at the object's end.</summary>
    public static bool NextField(ref Utf8JsonReader reader)
    {
        reader.Read();
        return reader.TokenType == JsonTokenType.PropertyName;
    }

    /// <summary>Steps to the next element, on whose first token the reader then stands; false at the array's end.</summary>
    public static bool NextElement(ref Utf8JsonReader reader)
    {
        reader.Read();
        return reader.TokenType != JsonTokenType.EndArray;
    }

    /// <summary>Steps over a field's value.</summary>
    public static void Skip(ref Utf8JsonReader reader)
    {
        reader.Read();
        reader.Skip();
    }

    public static string? Text(ref Utf8JsonReader reader, string field)
    {
        reader.Read();
        return reader.TokenType switch
        {
            JsonTokenType.String => reader.GetString(),
            JsonTokenType.Null => null,
            _ => throw WrongType(field, "a string"),
        };
    }

    public static bool Flag(ref Utf8JsonReader reader, string field)
    {
        reader.Read();
        return reader.TokenType switch
        {
            JsonTokenType.True => true,
            JsonTokenType.False or JsonTokenType.Null => false,
            _ => throw WrongType(field, "a boolean"),
        };
    }

    public static int? Number(ref Utf8JsonReader reader, string field, int least, int most)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.Null) return null;
        if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt32(out int number)) throw WrongType(field, "an integer");
        if (number < least || number > most)
            throw MockErrorException.Invalid($"Invalid value for '{field}': expected {least} to {most}.", field, "invalid_value");
        return number;
    }

    public static MockErrorException WrongType(string field, string expected) =>
        MockErrorException.Invalid($"Invalid type for '{field}': expected {expected}.", field, "invalid_type");

    public static MockErrorException Missing(string field) =>
        MockErrorException.Invalid($"Missing required parameter: '{field}'.", field, "missing_required_parameter");

    private static MockErrorException Unreadable() =>
        MockErrorException.Invalid("We could not parse the JSON body of your request. The OpenAI API expects a JSON payload.");
}
