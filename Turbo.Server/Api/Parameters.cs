using System.Buffers;
using System.Text;
using System.Text.Unicode;
using Turbo.Net.Content;

namespace Turbo.Server.Api;

/// <summary>
/// The parameters of one request (contract section 2): from the body, a form or a JSON object, and the query; the body
/// wins. They lie decoded in one pooled buffer, so only a value that a handler keeps is allocated. Of a name that comes
/// twice a form's first and a JSON object's last counts, as it did in the Go program; a list takes all of a form's.
/// </summary>
/// <remarks>
/// The first bad parameter that a handler asks for is kept in <see cref="Error"/>: the handler reads all it wants, then
/// looks once.
/// </remarks>
internal sealed class Parameters
{
    // A buffer up to this size stays for the next request.
    private const int KeptBytes = 4096;

    /// <summary>Of a longer array nothing is kept: no route takes one, and a field that none asks for may hold anything.</summary>
    public const int MaxElements = 1024;

    // PostgreSQL's text cannot hold one, so no text of ours has it, whatever the database.
    private const string NulReason = "has a NUL character";

    private byte[] _bytes = [];
    private int _used;
    private Slot[] _slots = new Slot[8];
    private int _count;
    private int _bodyCount;
    private bool _isJsonBody;
    private ApiError? _error;

    private enum Kind : byte { Text, String, Number, True, False, Null, Array, Object, LongArray, Element, BadElement }

    private readonly record struct Slot(int NameStart, int NameLength, int ValueStart, int ValueLength, Kind Kind);

    /// <summary>Whether the body was a JSON object.</summary>
    public bool HasJsonBody => _isJsonBody;

    /// <summary>What is wrong with the parameters, where something is.</summary>
    public bool HasError => _error is not null;

    /// <summary>Meaningful while <see cref="HasError"/>.</summary>
    public ApiError Error => _error.GetValueOrDefault();

    /// <summary>Reads a JSON body. False when it is refused.</summary>
    public bool ReadJson(ReadOnlySpan<byte> json)
    {
        _isJsonBody = true;
        JsonFields fields = new(json);
        Reserve(json.Length);
        while (fields.Read(_bytes.AsSpan(_used), out int nameLength))
        {
            int name = Take(nameLength);
            Kind kind = fields.Kind switch
            {
                JsonFieldKind.String => Kind.String,
                JsonFieldKind.Number => Kind.Number,
                JsonFieldKind.Boolean => fields.RawValue.Length == 4 ? Kind.True : Kind.False,
                JsonFieldKind.Null => Kind.Null,
                JsonFieldKind.Array => Kind.Array,
                _ => Kind.Object,
            };
            if (!fields.TryCopyValue(_bytes.AsSpan(_used), out int length)) break;
            int array = _count;
            Add(new Slot(name, nameLength, Take(length), length, kind));
            while (fields.ReadElement())
            {
                if (_count - array > MaxElements)
                {
                    _count = array + 1;
                    _slots[array] = _slots[array] with { Kind = Kind.LongArray };
                    break;
                }
                if (!fields.TryCopyValue(_bytes.AsSpan(_used), out length)) break;
                Add(new Slot(name, nameLength, Take(length), length, fields.Kind == JsonFieldKind.String ? Kind.Element : Kind.BadElement));
            }
        }
        _bodyCount = _count;
        return Check(fields.Error, "the body is not a JSON object in UTF-8");
    }

    /// <summary>Reads a form body; call it before <see cref="ReadQuery"/>. False when it is refused.</summary>
    public bool ReadForm(ReadOnlySpan<byte> form)
    {
        bool isGood = Read(form, "the body is a malformed form");
        _bodyCount = _count;
        return isGood;
    }

    /// <summary>Reads the query. False when it is refused.</summary>
    public bool ReadQuery(ReadOnlySpan<byte> query) => query.IsEmpty || Read(query, "the query is malformed");

    /// <summary>A text of at most <paramref name="maxLength"/> characters; null when absent.</summary>
    public string? Text(ReadOnlySpan<byte> name, int maxLength)
    {
        ReadOnlySpan<byte> value = Bytes(name, out bool isPresent);
        if (!isPresent) return null;
        if (CountCharacters(value) <= maxLength) return Encoding.UTF8.GetString(value);
        Refuse(name, $"is longer than {maxLength} characters");
        return null;
    }

    /// <summary>As <see cref="Text"/>, but refused when absent or empty. Answers "" when refused.</summary>
    public string RequiredText(ReadOnlySpan<byte> name, int maxLength)
    {
        string? value = Text(name, maxLength);
        if (string.IsNullOrEmpty(value)) Miss(name);
        return value ?? "";
    }

    /// <summary>The text's bytes, in place until the request ends; empty when absent or refused.</summary>
    public ReadOnlySpan<byte> Bytes(ReadOnlySpan<byte> name, out bool isPresent)
    {
        isPresent = false;
        int at = Find(name);
        if (at < 0) return default;
        Slot slot = _slots[at];
        ReadOnlySpan<byte> value = Value(slot);
        if (slot.Kind is not (Kind.Text or Kind.String)) Refuse(name, "is not a string");
        // JSON was checked as a whole.
        else if (slot.Kind == Kind.Text && !Utf8.IsValid(value)) Refuse(name, "is not text in UTF-8");
        else if (value.Contains((byte)0)) Refuse(name, NulReason);
        else
        {
            isPresent = true;
            return value;
        }
        return default;
    }

    /// <summary>
    /// A token's bytes, in place; empty when absent or refused. It is base64, whose plus signs many a client puts in a
    /// form as they are: a blank in it can only have been one.
    /// </summary>
    public ReadOnlySpan<byte> Token(ReadOnlySpan<byte> name)
    {
        if (Bytes(name, out _).IsEmpty) return default;
        Slot slot = _slots[Find(name)];
        Span<byte> token = _bytes.AsSpan(slot.ValueStart, slot.ValueLength);
        token.Replace((byte)' ', (byte)'+');
        return token;
    }

    /// <summary>true, false, 1 or 0; <paramref name="absent"/> when there is none, or an empty one in a form.</summary>
    public bool Flag(ReadOnlySpan<byte> name, bool absent = false)
    {
        int at = Find(name);
        if (at < 0) return absent;
        Slot slot = _slots[at];
        ReadOnlySpan<byte> value = Value(slot);
        switch (slot.Kind)
        {
            case Kind.True:
            case Kind.Text when value.SequenceEqual("true"u8):
            case Kind.Text or Kind.Number when value.SequenceEqual("1"u8):
                return true;
            case Kind.False:
            case Kind.Text when value.IsEmpty || value.SequenceEqual("false"u8):
            case Kind.Text or Kind.Number when value.SequenceEqual("0"u8):
                return !value.IsEmpty ? false : absent;
        }
        Refuse(name, "is not true, false, 1 or 0");
        return absent;
    }

    /// <summary>
    /// A whole number from <paramref name="min"/> to <paramref name="max"/>; null when absent, or empty in a form.
    /// </summary>
    public int? Number(ReadOnlySpan<byte> name, int min, int max)
    {
        int at = Find(name);
        if (at < 0) return null;
        Slot slot = _slots[at];
        ReadOnlySpan<byte> value = Value(slot);
        if (slot.Kind == Kind.Text && value.IsEmpty) return null;
        if (slot.Kind is Kind.Text or Kind.Number && System.Buffers.Text.Utf8Parser.TryParse(value, out int number, out int used) && used == value.Length && number >= min && number <= max) return number;
        Refuse(name, $"is not a whole number from {min} to {max}");
        return null;
    }

    /// <summary>
    /// A list of texts: a JSON array of strings, a repeated form field, or one comma-separated text. Blanks around an
    /// element, and empty elements, do not count. Null when absent.
    /// </summary>
    public List<string>? List(ReadOnlySpan<byte> name, int maxCount)
    {
        int at = Find(name);
        if (at < 0) return null;
        List<string> list = [];
        if (_slots[at].Kind == Kind.Array)
        {
            for (int i = at + 1; i < _bodyCount && _slots[i].Kind is Kind.Element or Kind.BadElement; i++)
            {
                if (_slots[i].Kind == Kind.Element) AddTo(list, name, Value(_slots[i]));
                else Refuse(name, "is not an array of strings");
            }
        }
        else if (_slots[at].Kind == Kind.LongArray) Refuse(name, $"has more than {MaxElements} elements");
        else if (_slots[at].Kind == Kind.String) Split(list, name, at);
        else if (_slots[at].Kind != Kind.Text) Refuse(name, "is not an array of strings");
        else
        {
            int end = at < _bodyCount ? _bodyCount : _count;
            for (int i = at; i < end; i++)
            {
                if (Name(_slots[i]).SequenceEqual(name)) Split(list, name, i);
            }
        }
        if (list.Count <= maxCount) return list;
        Refuse(name, $"has more than {maxCount} elements");
        return list;
    }

    /// <summary>Refuses a parameter for a reason of the caller's; the first refusal stands.</summary>
    public void Refuse(ReadOnlySpan<byte> name, string reason) => _error ??= ApiError.InvalidParameter(Encoding.UTF8.GetString(name), reason);

    /// <summary>Refuses the request for want of a parameter.</summary>
    public void Miss(ReadOnlySpan<byte> name) => _error ??= ApiError.MissingParameter(Encoding.UTF8.GetString(name));

    /// <summary>Refuses the request as a whole.</summary>
    public void Refuse(ApiError error) => _error ??= error;

    public void Reset()
    {
        _used = 0;
        _count = 0;
        _bodyCount = 0;
        _isJsonBody = false;
        _error = null;
        if (_bytes.Length <= KeptBytes) return;
        ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = [];
    }

    private bool Read(ReadOnlySpan<byte> form, string malformed)
    {
        Reserve(form.Length);
        FormReader reader = new(form);
        while (reader.Read(out FormField field))
        {
            if (!TryDecode(field.Name, out int name, out int nameLength) || !TryDecode(field.Value, out int value, out int valueLength)) return Check(ContentError.Malformed, malformed);
            Add(new Slot(name, nameLength, value, valueLength, Kind.Text));
        }
        return Check(reader.Error, malformed);
    }

    private bool TryDecode(ReadOnlySpan<byte> text, out int start, out int length)
    {
        bool isGood = FormReader.TryDecode(text, _bytes.AsSpan(_used), out length);
        start = Take(length);
        return isGood;
    }

    private bool Check(ContentError error, string malformed)
    {
        if (error == ContentError.None) return true;
        _error ??= error == ContentError.TooManyFields
            ? new ApiError(400, "too many fields", Code: "too_many_fields")
            : new ApiError(400, malformed, Code: "malformed_content");
        return false;
    }

    // The body's slots come first. Null is as good as absent.
    private int Find(ReadOnlySpan<byte> name)
    {
        int found = -1;
        for (int i = 0; i < _bodyCount; i++)
        {
            if (_slots[i].Kind is Kind.Element or Kind.BadElement || !Name(_slots[i]).SequenceEqual(name)) continue;
            found = i;
            if (!_isJsonBody) break;
        }
        if (found >= 0 && _slots[found].Kind != Kind.Null) return found;
        for (int i = _bodyCount; i < _count; i++)
        {
            if (Name(_slots[i]).SequenceEqual(name)) return i;
        }
        return -1;
    }

    private void Split(List<string> list, ReadOnlySpan<byte> name, int at)
    {
        ReadOnlySpan<byte> value = Value(_slots[at]);
        if (!Utf8.IsValid(value)) Refuse(name, "is not text in UTF-8");
        foreach (Range part in value.Split((byte)',')) AddTo(list, name, value[part]);
    }

    private void AddTo(List<string> list, ReadOnlySpan<byte> name, ReadOnlySpan<byte> element)
    {
        element = element.Trim(" \t\r\n"u8);
        if (element.Contains((byte)0)) Refuse(name, NulReason);
        else if (!element.IsEmpty) list.Add(Encoding.UTF8.GetString(element));
    }

    private ReadOnlySpan<byte> Name(Slot slot) => _bytes.AsSpan(slot.NameStart, slot.NameLength);

    private ReadOnlySpan<byte> Value(Slot slot) => _bytes.AsSpan(slot.ValueStart, slot.ValueLength);

    // Unicode scalar values: every byte but the continuations.
    private static int CountCharacters(ReadOnlySpan<byte> utf8)
    {
        int count = 0;
        foreach (byte b in utf8)
        {
            if ((b & 0xC0) != 0x80) count++;
        }
        return count;
    }

    private void Add(Slot slot)
    {
        if (_count == _slots.Length) Array.Resize(ref _slots, _count * 2);
        _slots[_count++] = slot;
    }

    private int Take(int length)
    {
        int start = _used;
        _used += length;
        return start;
    }

    // Decoded text is never longer than what was sent.
    private void Reserve(int more)
    {
        if (_bytes.Length - _used >= more) return;
        byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(_used + more, 256));
        _bytes.AsSpan(0, _used).CopyTo(larger);
        if (_bytes.Length > 0) ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = larger;
    }
}
