using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Turbo.Tests.Fuzz.Reference;

internal enum JsonKind
{
    String,
    Number,
    Boolean,
    Null,
    Array,
    Object,
}

/// <param name="Kind">What it is.</param>
/// <param name="Raw">A string's content with its escapes, a number or literal as sent.</param>
/// <param name="Members">Of an object, names with their escapes; of an array, with empty names.</param>
internal sealed record JsonNode(JsonKind Kind, string Raw, IReadOnlyList<(string Name, JsonNode Value)> Members);

/// <summary>JSON as RFC 8259 has it: recursive descent over octets as characters.</summary>
internal sealed partial class ReferenceJson
{
    private readonly string _text;
    private readonly int _maxDepth;
    private int _at;

    private ReferenceJson(string text, int maxDepth)
    {
        _text = text;
        _maxDepth = maxDepth;
    }

    /// <summary>The whole text as a value; null when it is none, or no UTF-8.</summary>
    public static JsonNode? Parse(string octets, int maxDepth)
    {
        if (!ReferenceUtf8.IsText(octets)) return null;
        ReferenceJson json = new(octets, maxDepth);
        JsonNode? node = json.Value(1);
        return node is not null && json._at == octets.Length ? node : null;
    }

    /// <summary>A string without its escapes, as octets; null for half a surrogate pair.</summary>
    public static string? Unescape(string raw)
    {
        StringBuilder text = new();
        for (int i = 0; i < raw.Length; i++)
        {
            if (raw[i] != '\\')
            {
                text.Append(raw[i]);
                continue;
            }
            i++;
            if (raw[i] != 'u')
            {
                text.Append(raw[i] switch { 'b' => '\b', 'f' => '\f', 'n' => '\n', 'r' => '\r', 't' => '\t', _ => raw[i] });
                continue;
            }
            int code = Hex(raw, i + 1);
            i += 4;
            if (code is >= 0xDC00 and <= 0xDFFF) return null;
            if (code is >= 0xD800 and <= 0xDBFF)
            {
                if (i + 6 >= raw.Length || raw[i + 1] != '\\' || raw[i + 2] != 'u' || Hex(raw, i + 3) is not (>= 0xDC00 and <= 0xDFFF and int low)) return null;
                code = 0x10000 + ((code - 0xD800) << 10) + low - 0xDC00;
                i += 6;
            }
            foreach (byte b in Encoding.UTF8.GetBytes(char.ConvertFromUtf32(code))) text.Append((char)b);
        }
        return text.ToString();
    }

    private static int Hex(string text, int at) => int.Parse(text.AsSpan(at, 4), NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    private JsonNode? Value(int depth)
    {
        Space();
        JsonNode? node = null;
        if (Peek('{') || Peek('[')) node = depth <= _maxDepth ? Container(depth) : null;
        else if (Take(String()) is { } text) node = new JsonNode(JsonKind.String, text[1..^1], []);
        else if (Take(Number()) is { } number) node = new JsonNode(JsonKind.Number, number, []);
        else if (Take(Literal()) is { } literal) node = new JsonNode(literal == "null" ? JsonKind.Null : JsonKind.Boolean, literal, []);
        Space();
        return node;
    }

    private JsonNode? Container(int depth)
    {
        bool isObject = _text[_at++] == '{';
        char end = isObject ? '}' : ']';
        List<(string, JsonNode)> members = [];
        Space();
        while (!Peek(end))
        {
            if (members.Count > 0)
            {
                if (!Peek(',')) return null;
                _at++;
                Space();
            }
            string name = "";
            if (isObject)
            {
                if (Take(String()) is not { } quoted) return null;
                name = quoted[1..^1];
                Space();
                if (!Peek(':')) return null;
                _at++;
            }
            if (Value(depth + 1) is not { } value) return null;
            members.Add((name, value));
        }
        _at++;
        return new JsonNode(isObject ? JsonKind.Object : JsonKind.Array, "", members);
    }

    private void Space()
    {
        while (_at < _text.Length && _text[_at] is ' ' or '\t' or '\n' or '\r') _at++;
    }

    private bool Peek(char c) => _at < _text.Length && _text[_at] == c;

    private string? Take(Regex token)
    {
        Match match = token.Match(_text, _at);
        if (!match.Success) return null;
        _at += match.Length;
        return match.Value;
    }

    [GeneratedRegex(@"\G""(?>[^""\\\x00-\x1f]|\\(?:[""\\/bfnrt]|u[0-9A-Fa-f]{4}))*""")]
    private static partial Regex String();

    [GeneratedRegex(@"\G-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")]
    private static partial Regex Number();

    [GeneratedRegex(@"\G(?:true|false|null)")]
    private static partial Regex Literal();
}
