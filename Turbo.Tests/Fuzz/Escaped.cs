using System.Globalization;
using System.Text;

namespace Turbo.Tests.Fuzz;

/// <summary>Bytes as one line of printable ASCII: <c>\r \n \t \\ \xHH</c>, the rest as it is. What a corpus file has on each line.</summary>
internal static class Escaped
{
    public static string Write(ReadOnlySpan<byte> bytes)
    {
        StringBuilder text = new(bytes.Length + 16);
        foreach (byte b in bytes)
        {
            switch (b)
            {
                case (byte)'\r': text.Append("\\r"); break;
                case (byte)'\n': text.Append("\\n"); break;
                case (byte)'\t': text.Append("\\t"); break;
                case (byte)'\\': text.Append("\\\\"); break;
                case < 0x20 or > 0x7E: text.Append(CultureInfo.InvariantCulture, $"\\x{b:x2}"); break;
                default: text.Append((char)b); break;
            }
        }
        return text.ToString();
    }

    public static byte[] Read(ReadOnlySpan<char> line)
    {
        byte[] bytes = new byte[line.Length];
        int length = 0;
        for (int i = 0; i < line.Length; i++)
        {
            bytes[length++] = (byte)line[i];
            if (line[i] != '\\') continue;
            if (++i == line.Length) throw new FormatException("an escape without its letter");
            bytes[length - 1] = line[i] switch
            {
                'r' => (byte)'\r',
                'n' => (byte)'\n',
                't' => (byte)'\t',
                '\\' => (byte)'\\',
                'x' when i + 2 < line.Length => byte.Parse(line.Slice((i += 2) - 1, 2), NumberStyles.HexNumber, CultureInfo.InvariantCulture),
                _ => throw new FormatException($"an unknown escape at {i}"),
            };
        }
        return bytes[..length];
    }

    /// <summary>The inputs of a corpus file, one a line; lines that begin with '#' and a space are comments.</summary>
    public static List<byte[]> ReadFile(string path) =>
        [.. File.ReadLines(path).Where(static l => !l.StartsWith("# ", StringComparison.Ordinal)).Select(static l => Read(l))];

    public static void WriteFile(string path, IEnumerable<byte[]> inputs, string comment)
    {
        using StreamWriter file = new(path) { NewLine = "\n" };
        file.WriteLine("# " + comment);
        foreach (byte[] input in inputs)
        {
            string line = Write(input);
            // A line that looks like a comment is none.
            file.WriteLine(line.StartsWith("# ", StringComparison.Ordinal) ? "\\x23" + line[1..] : line);
        }
    }
}
