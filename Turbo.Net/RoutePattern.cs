using System.Text;

namespace Turbo.Net;

/// <summary>
/// A path with parameters, such as <c>/note/{id}/part/{number}</c>: a parameter stands for one whole segment that is not
/// empty. Segments are compared as sent; a parameter's value is as sent, too, and the reader's to decode.
/// </summary>
public sealed class RoutePattern
{
    private readonly Segment[] _segments;
    private readonly byte[] _literalStart;

    private RoutePattern(string text, Segment[] segments, byte[] literalStart)
    {
        Text = text;
        _segments = segments;
        _literalStart = literalStart;
    }

    private readonly record struct Segment(byte[] Bytes, bool IsParameter);

    /// <summary>The pattern as it was written.</summary>
    public string Text { get; }

    /// <summary>The names of its parameters, in their order.</summary>
    public IEnumerable<string> Parameters => _segments.Where(static segment => segment.IsParameter).Select(static segment => Encoding.ASCII.GetString(segment.Bytes));

    /// <summary>Whether a path has parameters: then it is a pattern.</summary>
    public static bool HasParameters(ReadOnlySpan<byte> path) => path.ContainsAny((byte)'{', (byte)'}');

    /// <summary>Reads a pattern. Throws <see cref="ArgumentException"/> for one that is malformed or has a name twice.</summary>
    public static RoutePattern Parse(ReadOnlySpan<byte> path)
    {
        string text = Encoding.UTF8.GetString(path);
        if (path.IsEmpty || path[0] != '/') throw new ArgumentException($"a path begins with '/': {text}", nameof(path));
        List<Segment> segments = [];
        HashSet<string> names = new(StringComparer.Ordinal);
        ReadOnlySpan<byte> rest = path[1..];
        foreach (Range range in rest.Split((byte)'/'))
        {
            ReadOnlySpan<byte> segment = rest[range];
            bool isParameter = segment is [(byte)'{', .., (byte)'}'];
            if (isParameter)
            {
                segment = segment[1..^1];
                string name = Encoding.UTF8.GetString(segment);
                if (!IsName(segment)) throw new ArgumentException($"{{{name}}} in {text} is not a name of letters, digits and '_'", nameof(path));
                if (!names.Add(name)) throw new ArgumentException($"{{{name}}} stands twice in {text}", nameof(path));
            }
            else if (segment.ContainsAny("{}*"u8))
            {
                throw new ArgumentException($"a parameter is a whole segment, and '*' does not go with one: {text}", nameof(path));
            }
            segments.Add(new Segment(segment.ToArray(), isParameter));
        }
        return new RoutePattern(text, [.. segments], path[..path.IndexOf((byte)'{')].ToArray());
    }

    /// <summary>Whether a path fits.</summary>
    public bool Matches(ReadOnlySpan<byte> path)
    {
        if (!path.StartsWith(_literalStart)) return false;
        int at = 1;
        for (int i = 0; i < _segments.Length; i++)
        {
            if (at > path.Length) return false;
            ReadOnlySpan<byte> segment = SegmentAt(path, at);
            if (_segments[i].IsParameter ? segment.IsEmpty : !segment.SequenceEqual(_segments[i].Bytes)) return false;
            at += segment.Length + 1;
        }
        // One past the '/' that would follow the last segment.
        return at == path.Length + 1;
    }

    /// <summary>The value of a parameter in a path that fits, as sent; false where the pattern has none of that name.</summary>
    public bool TryGet(ReadOnlySpan<byte> path, ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        int at = 1;
        foreach (Segment segment in _segments)
        {
            if (at > path.Length) break;
            value = SegmentAt(path, at);
            if (segment.IsParameter && name.SequenceEqual(segment.Bytes)) return true;
            at += value.Length + 1;
        }
        value = default;
        return false;
    }

    /// <summary>Whether both fit the same paths: they differ in the names of parameters alone.</summary>
    internal bool IsLike(RoutePattern other) => Compare(other) == 0;

    /// <summary>Less than zero where this one is tried first: at the first segment in which they differ in kind, it has the literal.</summary>
    internal int Compare(RoutePattern other)
    {
        for (int i = 0; i < _segments.Length && i < other._segments.Length; i++)
        {
            Segment mine = _segments[i], theirs = other._segments[i];
            if (mine.IsParameter != theirs.IsParameter) return mine.IsParameter ? 1 : -1;
            if (mine.IsParameter) continue;
            int order = mine.Bytes.AsSpan().SequenceCompareTo(theirs.Bytes);
            if (order != 0) return order;
        }
        return _segments.Length - other._segments.Length;
    }

    private static ReadOnlySpan<byte> SegmentAt(ReadOnlySpan<byte> path, int at)
    {
        ReadOnlySpan<byte> rest = path[at..];
        int end = rest.IndexOf((byte)'/');
        return end < 0 ? rest : rest[..end];
    }

    private static bool IsName(ReadOnlySpan<byte> name)
    {
        foreach (byte b in name)
        {
            if (!char.IsAsciiLetterOrDigit((char)b) && b != '_') return false;
        }
        return !name.IsEmpty;
    }
}
