using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using Turbo.Net.Diagnostics;

namespace Turbo.Server.Metrics;

/// <summary>
/// Writes Prometheus's text format, version 0.0.4: families one after another, each with HELP, TYPE and its samples.
/// Label values are escaped; names are the caller's constants.
/// </summary>
internal sealed class PrometheusWriter(IBufferWriter<byte> output)
{
    private readonly byte[] _name = new byte[128];
    private int _nameLength;

    /// <summary>Begins a family of counters; its name ends in <c>_total</c>.</summary>
    public void Counter(ReadOnlySpan<byte> name, ReadOnlySpan<byte> help) => Family(name, help, "counter"u8);

    public void Gauge(ReadOnlySpan<byte> name, ReadOnlySpan<byte> help) => Family(name, help, "gauge"u8);

    public void Histogram(ReadOnlySpan<byte> name, ReadOnlySpan<byte> help) => Family(name, help, "histogram"u8);

    /// <summary>A counter without labels.</summary>
    public void Counter(ReadOnlySpan<byte> name, ReadOnlySpan<byte> help, long value)
    {
        Counter(name, help);
        Sample(value);
    }

    /// <summary>A gauge without labels.</summary>
    public void Gauge(ReadOnlySpan<byte> name, ReadOnlySpan<byte> help, double value)
    {
        Gauge(name, help);
        Sample(value);
    }

    public void Sample(double value)
    {
        Name();
        Value(value);
    }

    public void Sample(ReadOnlySpan<byte> label, ReadOnlySpan<byte> labelValue, double value)
    {
        Name();
        Write("{"u8);
        Label(label, labelValue);
        Write("}"u8);
        Value(value);
    }

    public void Sample(ReadOnlySpan<byte> label1, ReadOnlySpan<byte> value1, ReadOnlySpan<byte> label2, ReadOnlySpan<byte> value2, double value)
    {
        Name();
        Write("{"u8);
        Label(label1, value1);
        Write(","u8);
        Label(label2, value2);
        Write("}"u8);
        Value(value);
    }

    /// <summary>One histogram of the family.</summary>
    /// <param name="histogram">What was recorded.</param>
    /// <param name="label">Its label's name; empty has none.</param>
    /// <param name="labelValue">Its label's value.</param>
    public void Sample(LatencyHistogram histogram, ReadOnlySpan<byte> label = default, ReadOnlySpan<byte> labelValue = default)
    {
        ReadOnlySpan<double> bounds = histogram.UpperBounds;
        Span<long> cumulative = stackalloc long[bounds.Length + 1];
        long count = histogram.Read(cumulative, out double sum);
        for (int i = 0; i <= bounds.Length; i++)
        {
            Name();
            Write("_bucket{"u8);
            if (!label.IsEmpty)
            {
                Label(label, labelValue);
                Write(","u8);
            }
            Write("le=\""u8);
            Number(i < bounds.Length ? bounds[i] : double.PositiveInfinity);
            Write("\"}"u8);
            Value(cumulative[i]);
        }
        Part("_sum"u8, label, labelValue, sum);
        Part("_count"u8, label, labelValue, count);
    }

    private void Part(ReadOnlySpan<byte> suffix, ReadOnlySpan<byte> label, ReadOnlySpan<byte> labelValue, double value)
    {
        Name();
        Write(suffix);
        if (!label.IsEmpty)
        {
            Write("{"u8);
            Label(label, labelValue);
            Write("}"u8);
        }
        Value(value);
    }

    private void Family(ReadOnlySpan<byte> name, ReadOnlySpan<byte> help, ReadOnlySpan<byte> type)
    {
        name.CopyTo(_name);
        _nameLength = name.Length;
        Write("# HELP "u8);
        Name();
        Write(" "u8);
        Escaped(help, quote: false);
        Write("\n# TYPE "u8);
        Name();
        Write(" "u8);
        Write(type);
        Write("\n"u8);
    }

    private void Label(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        Write(name);
        Write("=\""u8);
        Escaped(value, quote: true);
        Write("\""u8);
    }

    private void Escaped(ReadOnlySpan<byte> text, bool quote)
    {
        while (true)
        {
            int special = quote ? text.IndexOfAny("\\\n\""u8) : text.IndexOfAny("\\\n"u8);
            if (special < 0)
            {
                Write(text);
                return;
            }
            Write(text[..special]);
            Write(text[special] switch { (byte)'\n' => "\\n"u8, (byte)'"' => "\\\""u8, _ => "\\\\"u8 });
            text = text[(special + 1)..];
        }
    }

    private void Value(double value)
    {
        Write(" "u8);
        Number(value);
        Write("\n"u8);
    }

    private void Number(double value)
    {
        if (double.IsInfinity(value) || double.IsNaN(value))
        {
            Write(double.IsNaN(value) ? "NaN"u8 : value > 0 ? "+Inf"u8 : "-Inf"u8);
            return;
        }
        Span<byte> room = output.GetSpan(40);
        int length;
        // Exact, and without an exponent, where it is a whole number.
        if (Math.Abs(value) < 1L << 53 && value == Math.Truncate(value)) Utf8Formatter.TryFormat((long)value, room, out length);
        else value.TryFormat(room, out length, "R", CultureInfo.InvariantCulture);
        output.Advance(length);
    }

    private void Name() => Write(_name.AsSpan(0, _nameLength));

    private void Write(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(output.GetSpan(bytes.Length));
        output.Advance(bytes.Length);
    }
}
