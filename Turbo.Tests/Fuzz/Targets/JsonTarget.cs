using Turbo.Net.Content;
using Turbo.Tests.Fuzz.Reference;

namespace Turbo.Tests.Fuzz.Targets;

/// <summary>JSON objects: the fields against a reference parser, whether a caller looks into every array, into some or into none.</summary>
internal sealed class JsonTarget : FuzzTarget
{
    private const int MaxFields = 5;

    // Elements of an array that the caller takes.
    private static readonly int[] s_looks = [int.MaxValue, 1, 0];

    private readonly Transcript _product = new(), _reference = new();
    private readonly byte[] _buffer = new byte[512];

    public override string Name => "json";

    public override IReadOnlyList<string> Tokens { get; } =
    [
        "{", "}", "[", "]", ":", ",", "\"", "\"a\"", "\"a\":", "\"a\":1", "{}", "[]", "[[]]", "{\"a\":{}}", "null", "true", "false", "nul", "1", "-", "-0", "0.5", "1e9", "01", ".5", "1.", "\\\\", "\\\\\\\\", "\\\\\"",
        "\\\\n", "\\\\u0041", "\\\\u0000", "\\\\ud83d\\\\ude00", "\\\\ud83d", "\\\\udc00", "\\\\x", "\\xc3\\xa9", "\\xff", "\\xed\\xa0\\x80", "\\x00", " ", "\\n", "\\t", "/*x*/", "//x\\n", "\\xef\\xbb\\xbf",
        "[[[[[[[[[[[[[[[[", "]]]]]]]]]]]]]]]]", "NaN", "Infinity",
    ];

    public override void Run(byte[] input)
    {
        string text = ReferenceHead.Text(input);
        JsonNode? node = ReferenceJson.Parse(text, JsonFields.MaxDepth);
        foreach (int look in s_looks)
        {
            ContentError error = Read(input, look, _product.Clear());
            bool isExpected = node is { Kind: JsonKind.Object } && Tell(node, look, _reference.Clear());
            FuzzFinding.Unless(isExpected == (error == ContentError.None), isExpected ? $"the reference reads what was refused: {error}" : $"the reference refuses what was read as:\n{_product}");
            if (isExpected) FuzzFinding.UnlessSame(_reference, _product, "the reference reads another object");
        }
    }

    private ContentError Read(ReadOnlySpan<byte> json, int look, Transcript to)
    {
        JsonFields fields = new(json, MaxFields);
        while (fields.Read(_buffer, out int nameLength))
        {
            to.Line("field", _buffer.AsSpan(0, nameLength)).Line(fields.Kind.ToString());
            if (fields.Kind != JsonFieldKind.Array)
            {
                Value(ref fields, to);
                continue;
            }
            for (int i = 0; i < look && fields.ReadElement(); i++)
            {
                to.Add("element ").Line(fields.Kind.ToString());
                Value(ref fields, to);
            }
        }
        // An error stays one.
        ContentError error = fields.Error;
        FuzzFinding.Unless(error == ContentError.None || (!fields.Read(_buffer, out _) && !fields.ReadElement() && fields.Error == error && fields.RawValue.IsEmpty), "refused, it reads on");
        return error;
    }

    private void Value(ref JsonFields fields, Transcript to)
    {
        int raw = fields.RawValue.Length;
        if (fields.TryCopyValue(_buffer.AsSpan(0, raw), out int written)) to.Line("value", _buffer.AsSpan(0, written));
    }

    // False where the text of a name or value that is looked at is none, or there are too many fields.
    private static bool Tell(JsonNode node, int look, Transcript to)
    {
        if (node.Members.Count > MaxFields) return false;
        foreach ((string name, JsonNode value) in node.Members)
        {
            if (ReferenceJson.Unescape(name) is not { } plain) return false;
            to.Line("field", plain).Line(value.Kind.ToString());
            if (value.Kind != JsonKind.Array)
            {
                if (!TellValue(value, to)) return false;
                continue;
            }
            foreach ((_, JsonNode element) in value.Members.Take(look))
            {
                to.Add("element ").Line(element.Kind.ToString());
                if (!TellValue(element, to)) return false;
            }
        }
        return true;
    }

    private static bool TellValue(JsonNode value, Transcript to)
    {
        string? plain = value.Kind == JsonKind.String ? ReferenceJson.Unescape(value.Raw) : value.Kind is JsonKind.Null ? "" : value.Raw;
        if (plain is null) return false;
        to.Line("value", plain);
        return true;
    }
}
