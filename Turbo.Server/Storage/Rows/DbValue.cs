using Turbo.Server.Storage.Rows;

namespace Turbo.Server;

/// <summary>
/// A value that a column holds or a condition compares with: a text, a number, a flag, a time, a Guid or bytes, or NULL of
/// one of them. Made by conversion: <c>Where("age = ?", 21)</c>. Always bound, never a part of the SQL.
/// </summary>
/// <remarks>
/// What one of the databases could not keep as it is refused on both, with an <see cref="ArgumentException"/>: a text with
/// NUL or half a surrogate pair, a double that is NaN. A time is UTC, one of no kind is taken for it, and kept to the
/// microsecond.
/// </remarks>
public readonly struct DbValue
{
    private DbValue(ColumnType type, long number = 0, double real = 0, object? value = null, bool isNull = false)
    {
        Type = type;
        Number = number;
        Real = real;
        Object = value;
        IsNull = isNull;
    }

    internal ColumnType Type { get; }

    internal bool IsNull { get; }

    /// <summary>Of Int, Long and Bool; the ticks of a Time.</summary>
    internal long Number { get; }

    internal double Real { get; }

    /// <summary>Of Text, Guid and Bytes.</summary>
    internal object? Object { get; }

    internal string Text => (string)Object!;

    internal DateTime Time => new(Number, DateTimeKind.Utc);

    internal Guid Guid => (Guid)Object!;

    internal byte[] Bytes => (byte[])Object!;

    /// <summary>A text.</summary>
    public static implicit operator DbValue(string? value) => value is null ? Null(ColumnType.Text) : new(ColumnType.Text, value: Checked(value));

    /// <summary>A number of 32 bits.</summary>
    public static implicit operator DbValue(int value) => new(ColumnType.Int, value);

    /// <summary>A number of 32 bits, or NULL.</summary>
    public static implicit operator DbValue(int? value) => value is { } number ? number : Null(ColumnType.Int);

    /// <summary>A number of 64 bits.</summary>
    public static implicit operator DbValue(long value) => new(ColumnType.Long, value);

    /// <summary>A number of 64 bits, or NULL.</summary>
    public static implicit operator DbValue(long? value) => value is { } number ? number : Null(ColumnType.Long);

    /// <summary>A floating-point number.</summary>
    public static implicit operator DbValue(double value) =>
        double.IsNaN(value) ? throw new ArgumentException("NaN is no value that a column keeps", nameof(value)) : new(ColumnType.Double, real: value);

    /// <summary>A floating-point number, or NULL.</summary>
    public static implicit operator DbValue(double? value) => value is { } number ? number : Null(ColumnType.Double);

    /// <summary>A flag.</summary>
    public static implicit operator DbValue(bool value) => new(ColumnType.Bool, value ? 1 : 0);

    /// <summary>A flag, or NULL.</summary>
    public static implicit operator DbValue(bool? value) => value is { } flag ? flag : Null(ColumnType.Bool);

    /// <summary>A time.</summary>
    public static implicit operator DbValue(DateTime value)
    {
        long ticks = (value.Kind == DateTimeKind.Local ? value.ToUniversalTime() : value).Ticks;
        return new(ColumnType.Time, ticks - ticks % TimeSpan.TicksPerMicrosecond);
    }

    /// <summary>A time, or NULL.</summary>
    public static implicit operator DbValue(DateTime? value) => value is { } time ? time : Null(ColumnType.Time);

    /// <summary>A Guid.</summary>
    public static implicit operator DbValue(Guid value) => new(ColumnType.Guid, value: value);

    /// <summary>A Guid, or NULL.</summary>
    public static implicit operator DbValue(Guid? value) => value is { } guid ? guid : Null(ColumnType.Guid);

    /// <summary>Bytes.</summary>
    public static implicit operator DbValue(byte[]? value) => value is null ? Null(ColumnType.Bytes) : new(ColumnType.Bytes, value: value);

    private static DbValue Null(ColumnType type) => new(type, isNull: true);

    private static string Checked(string text)
    {
        if (text.Contains('\0', StringComparison.Ordinal)) throw new ArgumentException("a text that is kept has no NUL", nameof(text));
        return IsWellFormed(text) ? text : throw new ArgumentException("a text that is kept has no half of a surrogate pair", nameof(text));
    }

    private static bool IsWellFormed(string text)
    {
        for (int i = 0; i < text.Length; i++)
        {
            if (!char.IsSurrogate(text[i])) continue;
            if (i + 1 == text.Length || !char.IsSurrogatePair(text[i], text[i + 1])) return false;
            i++;
        }
        return true;
    }
}
