using System.Buffers;
using System.Text.Json;

namespace Turbo.Server.Ai;

/// <summary>
/// Finds <c>model</c> and the numbers of <c>usage</c> in a JSON reply as its bytes pass, in constant memory: no reply is
/// held back or held at all. Only the root object, <c>response</c> and <c>usage</c> are read; every other container is
/// passed over 64 bytes at a time. Knows chat and completion replies (<c>prompt_tokens</c>,
/// <c>completion_tokens</c>, <c>total_tokens</c>) and the Responses API's (<c>input_tokens</c>, <c>output_tokens</c>,
/// also under <c>response</c> in its last event). It follows the structure only; what is not JSON finds nothing.
/// </summary>
internal sealed partial class UsageScanner
{
    private enum Key : byte { None, Model, Response, Usage, Prompt, Completion, Total }

    private const int MaxModelBytes = 128;
    private const int MaxKeyBytes = 20;

    // The events of a stream begin alike, up to their model: so much of the last one is kept to know the next one by.
    private const int MaxBeginningBytes = 256;

    private static readonly SearchValues<byte> s_structure = SearchValues.Create("\"{}[]:,"u8);
    private static readonly SearchValues<byte> s_structureOrNumber = SearchValues.Create("\"{}[]:,-0123456789"u8);

    private readonly byte[] _key = new byte[MaxKeyBytes];
    private readonly byte[] _beginning = new byte[MaxBeginningBytes];
    private byte[] _model = new byte[MaxModelBytes];
    private byte[] _newModel = new byte[MaxModelBytes];
    private int _keyLength;
    private int _newModelLength;
    private int _beginningLength;
    private bool _isAtBeginning = true;
    private bool _hasFound;
    private int _depth;
    private int _passedOver;
    private int _responseDepth;
    private int _usageDepth;
    private bool _inString;
    private bool _isEscaped;
    private bool _expectsKey;
    private bool _capturesKey;
    private bool _capturesModel;
    private bool _inNumber;
    private long _number;
    private Key _pending;

    /// <summary>The model that the reply names; empty when it names none.</summary>
    public ReadOnlySpan<byte> Model => _model.AsSpan(0, ModelLength);

    public int ModelLength { get; private set; }

    public long? PromptTokens { get; private set; }

    public long? CompletionTokens { get; private set; }

    public long? TotalTokens { get; private set; }

    /// <summary>Forgets what was found, for another reply.</summary>
    public void Reset()
    {
        BeginDocument();
        _beginningLength = 0;
        ModelLength = 0;
        PromptTokens = CompletionTokens = TotalTokens = null;
    }

    /// <summary>A new JSON text begins; what was found stays until something newer is.</summary>
    public void BeginDocument()
    {
        _depth = _passedOver = _responseDepth = _usageDepth = 0;
        _isAtBeginning = true;
        _hasFound = false;
        _inString = _isEscaped = _expectsKey = _capturesKey = _capturesModel = _inNumber = false;
        _pending = Key.None;
    }

    public void Feed(ReadOnlySpan<byte> json)
    {
        if (json.IsEmpty) return;
        ReadOnlySpan<byte> document = _isAtBeginning ? json : default;
        if (_isAtBeginning) json = PassKnownBeginning(json);
        while (!json.IsEmpty)
        {
            if (_passedOver > 0)
            {
                json = PassOver(json);
            }
            else if (_capturesModel)
            {
                json = InString(json);
                if (!_capturesModel) KeepBeginning(document.IsEmpty ? default : document[..^json.Length]);
            }
            else if (_inString) json = InString(json);
            else if (_inNumber) json = InNumber(json);
            else json = InStructure(json);
        }
    }

    private ReadOnlySpan<byte> InString(ReadOnlySpan<byte> json)
    {
        if (_isEscaped)
        {
            Capture(json[..1]);
            _isEscaped = false;
            return json[1..];
        }
        int stop = json.IndexOfAny((byte)'"', (byte)'\\');
        if (stop < 0)
        {
            Capture(json);
            return default;
        }
        Capture(json[..stop]);
        if (json[stop] == '\\')
        {
            Capture("\\"u8);
            _isEscaped = true;
        }
        else
        {
            EndString();
        }
        return json[(stop + 1)..];
    }

    private ReadOnlySpan<byte> InNumber(ReadOnlySpan<byte> json)
    {
        int i = 0;
        for (; i < json.Length && char.IsAsciiDigit((char)json[i]); i++)
        {
            int digit = json[i] - '0';
            // One that no column holds is none.
            if (_number > (long.MaxValue - digit) / 10) _pending = Key.None;
            else _number = _number * 10 + digit;
        }
        if (i == json.Length) return default;
        // Neither is one with a fraction or an exponent.
        if (json[i] is (byte)'.' or (byte)'e' or (byte)'E') _pending = Key.None;
        _inNumber = false;
        switch (_pending)
        {
            case Key.Prompt: PromptTokens = _number; break;
            case Key.Completion: CompletionTokens = _number; break;
            case Key.Total: TotalTokens = _number; break;
        }
        if (_pending != Key.None) _hasFound = true;
        _pending = Key.None;
        return json[i..];
    }

    private ReadOnlySpan<byte> InStructure(ReadOnlySpan<byte> json)
    {
        int stop = json.IndexOfAny(_pending >= Key.Prompt ? s_structureOrNumber : s_structure);
        if (stop < 0) return default;
        byte b = json[stop];
        switch (b)
        {
            case (byte)'"':
                _inString = true;
                _capturesKey = _expectsKey;
                _capturesModel = !_expectsKey && _pending == Key.Model;
                _keyLength = 0;
                _newModelLength = 0;
                break;
            case (byte)'{':
                Open(isObject: true);
                break;
            case (byte)'[':
                Open(isObject: false);
                break;
            case (byte)'}' or (byte)']':
                Close();
                break;
            case (byte)':':
                _expectsKey = false;
                break;
            case (byte)',':
                _pending = Key.None;
                _expectsKey = _depth > 0;
                break;
            case (byte)'-':
                _pending = Key.None;
                break;
            default:
                _inNumber = true;
                _number = b - '0';
                break;
        }
        return json[(stop + 1)..];
    }

    private void Open(bool isObject)
    {
        if (isObject && (_depth == 0 || _pending is Key.Usage or Key.Response))
        {
            _depth++;
            if (_pending == Key.Usage) _usageDepth = _depth;
            else if (_pending == Key.Response) _responseDepth = _depth;
            _expectsKey = true;
        }
        else
        {
            _passedOver = 1;
        }
        _pending = Key.None;
    }

    private void Close()
    {
        if (_depth == 0) return;
        if (_depth == _usageDepth) _usageDepth = 0;
        if (_depth == _responseDepth) _responseDepth = 0;
        _depth--;
        _pending = Key.None;
        _expectsKey = false;
    }

    private void Capture(ReadOnlySpan<byte> piece)
    {
        if (_capturesKey)
        {
            // A longer key is none of ours: its length says so.
            int room = Math.Min(piece.Length, MaxKeyBytes - _keyLength);
            piece[..room].CopyTo(_key.AsSpan(_keyLength));
            _keyLength = room < piece.Length ? MaxKeyBytes : _keyLength + room;
        }
        else if (_capturesModel)
        {
            int room = Math.Min(piece.Length, MaxModelBytes - _newModelLength);
            piece[..room].CopyTo(_newModel.AsSpan(_newModelLength));
            _newModelLength += room;
        }
    }

    private void EndString()
    {
        _inString = false;
        if (_capturesModel)
        {
            (_model, _newModel) = (_newModel, _model);
            ModelLength = _newModelLength;
            if (Model.Contains((byte)'\\')) UnescapeModel();
            _capturesModel = false;
            _pending = Key.None;
        }
        else if (_capturesKey)
        {
            _capturesKey = false;
            _pending = Classify(_key.AsSpan(0, _keyLength));
        }
    }

    // Some servers escape the slash of a model's name. A name that is cut or malformed stays as it is.
    private void UnescapeModel()
    {
        if (ModelLength == MaxModelBytes) return;
        Span<byte> text = stackalloc byte[MaxModelBytes + 2];
        text[0] = (byte)'"';
        Model.CopyTo(text[1..]);
        text[ModelLength + 1] = (byte)'"';
        Utf8JsonReader reader = new(text[..(ModelLength + 2)], isFinalBlock: true, default);
        try
        {
            reader.Read();
            ModelLength = reader.CopyString(_model);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // The reply is not JSON: the client has it as it is, and so has the row.
        }
    }

    private Key Classify(ReadOnlySpan<byte> key)
    {
        if (_depth == _usageDepth)
        {
            if (key.SequenceEqual("prompt_tokens"u8) || key.SequenceEqual("input_tokens"u8)) return Key.Prompt;
            if (key.SequenceEqual("completion_tokens"u8) || key.SequenceEqual("output_tokens"u8)) return Key.Completion;
            return key.SequenceEqual("total_tokens"u8) ? Key.Total : Key.None;
        }
        if (key.SequenceEqual("model"u8)) return Key.Model;
        if (key.SequenceEqual("usage"u8)) return Key.Usage;
        return _depth == 1 && key.SequenceEqual("response"u8) ? Key.Response : Key.None;
    }
}
