using System.Text.Json;
using System.Text.Unicode;

namespace Turbo.Net.Content;

/// <summary>What a field of a JSON object, or an element of its array, holds.</summary>
public enum JsonFieldKind : byte
{
    /// <summary>Nothing was read.</summary>
    None,
    /// <summary>A string.</summary>
    String,
    /// <summary>A number.</summary>
    Number,
    /// <summary>true or false.</summary>
    Boolean,
    /// <summary>null.</summary>
    Null,
    /// <summary>An array; <see cref="JsonFields.ReadElement"/> goes through it.</summary>
    Array,
    /// <summary>An object.</summary>
    Object,
}

/// <summary>
/// Reads one JSON object (RFC 8259), field by field over the received bytes. Strict: no comments, no trailing commas,
/// nothing after the object, UTF-8 only, depth at most <see cref="MaxDepth"/>. What the caller does not look into is
/// skipped, though checked. A name that comes twice is handed out twice.
/// </summary>
public ref struct JsonFields
{
    /// <summary>Fields that a reader takes unless told otherwise.</summary>
    public const int DefaultMaxFields = 256;

    /// <summary>Arrays and objects within each other, the outermost included; one more is malformed.</summary>
    public const int MaxDepth = 32;

    private Utf8JsonReader _reader;
    private int _left;
    private bool _isBegun;
    private bool _isInArray;

    /// <param name="json">The whole content.</param>
    /// <param name="maxFields">Most fields taken; one more is <see cref="ContentError.TooManyFields"/>. Default 256.</param>
    public JsonFields(ReadOnlySpan<byte> json, int maxFields = DefaultMaxFields)
    {
        _left = maxFields;
        // The reader looks at a string's bytes only when it is copied; one check covers what is skipped too.
        if (!Utf8.IsValid(json)) Error = ContentError.InvalidText;
        _reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = MaxDepth });
    }

    /// <summary>Why <see cref="Read"/> or <see cref="ReadElement"/> answered false; None at the end.</summary>
    public ContentError Error { get; private set; }

    /// <summary>What the field, or after <see cref="ReadElement"/> the element, holds.</summary>
    public JsonFieldKind Kind { get; private set; }

    /// <summary>
    /// The string's content with its escapes, or the number or literal as sent. Empty for null, arrays and objects.
    /// </summary>
    public readonly ReadOnlySpan<byte> RawValue => Kind is JsonFieldKind.String or JsonFieldKind.Number or JsonFieldKind.Boolean ? _reader.ValueSpan : default;

    /// <summary>The next field, its name copied without escapes; false at the object's end, or when it is refused.</summary>
    /// <param name="name">Takes the name: as long as the JSON text is always enough.</param>
    /// <param name="nameLength">The name's length in bytes.</param>
    public bool Read(scoped Span<byte> name, out int nameLength)
    {
        nameLength = 0;
        if (Error != ContentError.None) return false;
        try
        {
            if (!_isBegun)
            {
                _isBegun = true;
                if (!_reader.Read() || _reader.TokenType != JsonTokenType.StartObject) return Refuse(ContentError.Malformed);
            }
            else
            {
                // To the end of an array, wherever in it the caller stopped; past an object nobody looks into.
                while (_isInArray && !IsArrayEnd) _reader.Read();
                _reader.Skip();
            }
            _reader.Read();
            if (_reader.TokenType == JsonTokenType.EndObject && _reader.CurrentDepth == 0)
            {
                Kind = JsonFieldKind.None;
                // Throws when anything but white space follows.
                _reader.Read();
                return false;
            }
            if (_left-- == 0) return Refuse(ContentError.TooManyFields);
            nameLength = _reader.CopyString(name);
            _reader.Read();
            SetKind();
            _isInArray = Kind == JsonFieldKind.Array;
            return true;
        }
        catch (JsonException)
        {
            return Refuse(ContentError.Malformed);
        }
        catch (InvalidOperationException)
        {
            // CopyString's word for half a surrogate pair.
            return Refuse(ContentError.InvalidText);
        }
    }

    /// <summary>
    /// The next element of the field's array; false at its end, or when the content is refused. How many to take is the
    /// caller's choice: <see cref="Read"/> passes over the rest.
    /// </summary>
    public bool ReadElement()
    {
        if (!_isInArray || Error != ContentError.None) return false;
        try
        {
            // Past an element that is an array or object itself, though not past the array that was just begun.
            if (_reader.CurrentDepth > 1) _reader.Skip();
            _reader.Read();
            if (IsArrayEnd)
            {
                Kind = JsonFieldKind.None;
                _isInArray = false;
                return false;
            }
            SetKind();
            return true;
        }
        catch (JsonException)
        {
            return Refuse(ContentError.Malformed);
        }
    }

    /// <summary>
    /// Copies the string without its escapes, or the number or literal as sent. False when it is no text.
    /// </summary>
    /// <param name="destination">Needs at most as many bytes as <see cref="RawValue"/> has.</param>
    /// <param name="written">Bytes copied.</param>
    public bool TryCopyValue(scoped Span<byte> destination, out int written)
    {
        if (Kind != JsonFieldKind.String || !_reader.ValueIsEscaped)
        {
            RawValue.CopyTo(destination);
            written = RawValue.Length;
            return true;
        }
        try
        {
            written = _reader.CopyString(destination);
            return true;
        }
        catch (InvalidOperationException)
        {
            written = 0;
            return Refuse(ContentError.InvalidText);
        }
    }

    private readonly bool IsArrayEnd => _reader.TokenType == JsonTokenType.EndArray && _reader.CurrentDepth == 1;

    private void SetKind() => Kind = _reader.TokenType switch
    {
        JsonTokenType.String => JsonFieldKind.String,
        JsonTokenType.Number => JsonFieldKind.Number,
        JsonTokenType.True or JsonTokenType.False => JsonFieldKind.Boolean,
        JsonTokenType.Null => JsonFieldKind.Null,
        JsonTokenType.StartArray => JsonFieldKind.Array,
        _ => JsonFieldKind.Object,
    };

    private bool Refuse(ContentError error)
    {
        Error = error;
        Kind = JsonFieldKind.None;
        return false;
    }
}
