using System.Globalization;
using System.Text;
using System.Text.Json;
using Turbo.Server.Model;

namespace Turbo.Server.Admin;

/// <summary>
/// Rows on stdout: values separated by tabs, or a JSON object a line. A tab, a line end or another control character
/// within a value is written as a space in columns, so that a row stays a row.
/// </summary>
internal sealed class AdminOutput : IDisposable
{
    private readonly Stream _stream;
    private readonly bool _isJson;
    private readonly StringBuilder _line = new();
    private readonly MemoryStream _bytes = new();

    public AdminOutput(Stream stream, bool isJson)
    {
        _stream = stream;
        _isJson = isJson;
    }

    public void Row(params ReadOnlySpan<(string Name, object? Value)> columns)
    {
        _bytes.SetLength(0);
        if (_isJson) WriteJson(columns);
        else WriteColumns(columns);
        _bytes.WriteByte((byte)'\n');
        _bytes.WriteTo(_stream);
    }

    public void Dispose()
    {
        _stream.Flush();
        _stream.Dispose();
    }

    private void WriteColumns(ReadOnlySpan<(string Name, object? Value)> columns)
    {
        _line.Clear();
        for (int i = 0; i < columns.Length; i++)
        {
            if (i > 0) _line.Append('\t');
            foreach (char c in Text(columns[i].Value)) _line.Append(char.IsControl(c) ? ' ' : c);
        }
        _bytes.Write(Encoding.UTF8.GetBytes(_line.ToString()));
    }

    private void WriteJson(ReadOnlySpan<(string Name, object? Value)> columns)
    {
        using Utf8JsonWriter writer = new(_bytes);
        writer.WriteStartObject();
        foreach ((string name, object? value) in columns)
        {
            switch (value)
            {
                case null: writer.WriteNull(name); break;
                case long number: writer.WriteNumber(name, number); break;
                case int number: writer.WriteNumber(name, number); break;
                case bool flag: writer.WriteBoolean(name, flag); break;
                default: writer.WriteString(name, Text(value)); break;
            }
        }
        writer.WriteEndObject();
    }

    private static string Text(DateTime time)
    {
        Span<byte> text = stackalloc byte[64];
        return Encoding.ASCII.GetString(text[..GoTime.FormatJson(time, text)]);
    }

    private static string Text(object? value) => value switch
    {
        null => "",
        DateTime time => Text(time),
        bool flag => flag ? "true" : "false",
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString() ?? "",
    };
}
