using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Turbo.Net.Content;

namespace Turbo.Tests.Fuzz.Targets;

/// <summary>Forms: the pairs against a reference of string operations, and any pair encoded and decoded comes to itself.</summary>
internal sealed partial class FormTarget : FuzzTarget
{
    private const int MaxFields = 6;

    private readonly Transcript _product = new(), _reference = new();
    private readonly byte[] _decoded = new byte[512];

    public override string Name => "form";

    public override IReadOnlyList<string> Tokens { get; } =
        ["&", "=", "%", "+", "%20", "%2", "%zz", "%FF", "%c3%a9", "%00", "a=b", "a=b&a=c", "&&", "==", "%26", "%3D", "%2B", "=&", "user_ids", "\\xff", "\\x00", "%%41"];

    public override void Run(byte[] input)
    {
        Read(input, _product);
        Reference(Encoding.Latin1.GetString(input), _reference);
        FuzzFinding.UnlessSame(_reference, _product, "the reference reads another form");
        RoundTrip(input);
    }

    private void Read(ReadOnlySpan<byte> form, Transcript to)
    {
        to.Clear();
        FormReader reader = new(form, MaxFields);
        while (reader.Read(out FormField field)) to.Add("pair ").Line(Decoded(field.Name)).Add("value ").Line(Decoded(field.Value));
        to.Line(reader.Error.ToString());
    }

    private string Decoded(ReadOnlySpan<byte> text)
    {
        // Never more than it is given, and untouched where it says so.
        bool isDecoded = FormReader.TryDecode(text, _decoded.AsSpan(0, text.Length), out int written);
        FuzzFinding.Unless(FormReader.NeedsDecoding(text) || (isDecoded && text.SequenceEqual(_decoded.AsSpan(0, written))), "plain text is decoded to something else");
        return isDecoded ? Encoding.Latin1.GetString(_decoded, 0, written) : "malformed";
    }

    private static void Reference(string form, Transcript to)
    {
        to.Clear();
        int count = 0;
        foreach (string pair in form.Split('&').Where(static p => p.Length > 0))
        {
            if (count++ == MaxFields)
            {
                to.Line(nameof(ContentError.TooManyFields));
                return;
            }
            string[] parts = pair.Split('=', 2);
            to.Add("pair ").Line(Unescape(parts[0])).Add("value ").Line(Unescape(parts.Length == 2 ? parts[1] : ""));
        }
        to.Line(nameof(ContentError.None));
    }

    private static string Unescape(string text) => BadPercent().IsMatch(text) ? "malformed"
        : Percent().Replace(text.Replace('+', ' '), static m => ((char)int.Parse(m.ValueSpan[1..], NumberStyles.HexNumber, CultureInfo.InvariantCulture)).ToString());

    private void RoundTrip(ReadOnlySpan<byte> value)
    {
        StringBuilder form = new("v=");
        foreach (byte b in value)
        {
            if (char.IsAsciiLetterOrDigit((char)b)) form.Append((char)b);
            else if (b == ' ') form.Append('+');
            else form.Append(CultureInfo.InvariantCulture, $"%{b:X2}");
        }
        FormReader reader = new(Encoding.ASCII.GetBytes(form.ToString()));
        byte[] decoded = new byte[form.Length];
        FuzzFinding.Unless(
            reader.Read(out FormField field) && FormReader.TryDecode(field.Value, decoded, out int written) && value.SequenceEqual(decoded.AsSpan(0, written)) && !reader.Read(out _),
            "encoded and decoded, a value is another");
    }

    [GeneratedRegex("%(?![0-9A-Fa-f]{2})")]
    private static partial Regex BadPercent();

    [GeneratedRegex("%[0-9A-Fa-f]{2}")]
    private static partial Regex Percent();
}
