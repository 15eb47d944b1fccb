using System.Buffers.Text;
using System.Text;

namespace Turbo.Bench.Load;

/// <summary>What a <see cref="ResponseReader"/> reads for.</summary>
internal interface IResponseSink
{
    /// <summary>The next piece of the response's content.</summary>
    void OnContent(ReadOnlySpan<byte> piece, long now);

    /// <summary>The response has ended.</summary>
    void OnEnd(int status, long now);
}

/// <summary>
/// Takes responses apart as they come, in whatever pieces. Written apart from Turbo's own reader: a client that shared it
/// would share its mistakes. For responses with a length or chunked; anything else is an <see cref="InvalidDataException"/>.
/// </summary>
internal sealed class ResponseReader
{
    private enum State
    {
        Head,
        Content,
        ChunkSize,
        ChunkData,
        Trailer,
    }

    private readonly byte[] _line = new byte[16 * 1024];
    private int _lineLength;
    private State _state;
    private int _status;
    private long _left;

    /// <summary>Reads all of the input and tells the sink.</summary>
    public void Read(ReadOnlySpan<byte> input, IResponseSink sink, long now)
    {
        while (!input.IsEmpty)
        {
            switch (_state)
            {
                case State.Head:
                    ReadHead(ref input, sink, now);
                    break;
                case State.Content:
                case State.ChunkData:
                    ReadContent(ref input, sink, now);
                    break;
                case State.ChunkSize:
                    if (ReadLine(ref input)) BeginChunk();
                    break;
                default:
                    ReadTrailerLine(ref input, sink, now);
                    break;
            }
        }
    }

    private void ReadHead(ref ReadOnlySpan<byte> input, IResponseSink sink, long now)
    {
        if (_lineLength == 0 && input.IndexOf("\r\n\r\n"u8) is >= 0 and int end)
        {
            ReadOnlySpan<byte> head = input[..(end + 2)];
            input = input[(end + 4)..];
            BeginContent(head, sink, now);
            return;
        }
        // In pieces: byte by byte, which is rare.
        for (int i = 0; i < input.Length; i++)
        {
            Keep(input[i]);
            if (!_line.AsSpan(0, _lineLength).EndsWith("\r\n\r\n"u8)) continue;
            int length = _lineLength;
            _lineLength = 0;
            input = input[(i + 1)..];
            BeginContent(_line.AsSpan(0, length - 2), sink, now);
            return;
        }
        input = default;
    }

    private void BeginContent(ReadOnlySpan<byte> head, IResponseSink sink, long now)
    {
        if (head.Length < 14 || !head.StartsWith("HTTP/1."u8) || !Utf8Parser.TryParse(head.Slice(9, 3), out _status, out _)) throw new InvalidDataException($"not a response: {Encoding.Latin1.GetString(head[..Math.Min(head.Length, 60)])}");
        long length = -1;
        bool isChunked = false;
        for (ReadOnlySpan<byte> rest = head[(head.IndexOf((byte)'\n') + 1)..]; rest.IndexOf("\r\n"u8) is >= 0 and int end; rest = rest[(end + 2)..])
        {
            ReadOnlySpan<byte> line = rest[..end];
            if (Is(line, "content-length:"u8) && !Utf8Parser.TryParse(line[15..].Trim((byte)' '), out length, out _)) throw new InvalidDataException("a Content-Length that is none");
            if (Is(line, "transfer-encoding:"u8)) isChunked = true;
        }
        if (isChunked) _state = State.ChunkSize;
        else if (length > 0) (_state, _left) = (State.Content, length);
        else if (length == 0 || _status is 204 or 304) End(sink, now);
        else throw new InvalidDataException("a response without framing");

        static bool Is(ReadOnlySpan<byte> line, ReadOnlySpan<byte> name) => line.Length >= name.Length && Ascii.EqualsIgnoreCase(line[..name.Length], name);
    }

    private void ReadContent(ref ReadOnlySpan<byte> input, IResponseSink sink, long now)
    {
        int take = (int)Math.Min(_left, input.Length);
        sink.OnContent(input[..take], now);
        input = input[take..];
        _left -= take;
        if (_left > 0) return;
        if (_state == State.Content) End(sink, now);
        else _state = State.ChunkSize;
    }

    private void BeginChunk()
    {
        // After a chunk's data comes an empty line.
        if (_lineLength == 0) return;
        if (!Utf8Parser.TryParse(_line.AsSpan(0, _lineLength), out _left, out _, 'X')) throw new InvalidDataException("a chunk-size that is none");
        _lineLength = 0;
        _state = _left == 0 ? State.Trailer : State.ChunkData;
    }

    private void ReadTrailerLine(ref ReadOnlySpan<byte> input, IResponseSink sink, long now)
    {
        if (!ReadLine(ref input)) return;
        bool isLast = _lineLength == 0;
        _lineLength = 0;
        if (isLast) End(sink, now);
    }

    // The line without its end, once it is whole.
    private bool ReadLine(ref ReadOnlySpan<byte> input)
    {
        for (int i = 0; i < input.Length; i++)
        {
            if (input[i] == '\r') continue;
            if (input[i] == '\n')
            {
                input = input[(i + 1)..];
                return true;
            }
            Keep(input[i]);
        }
        input = default;
        return false;
    }

    private void Keep(byte b)
    {
        if (_lineLength == _line.Length) throw new InvalidDataException("a head without end");
        _line[_lineLength++] = b;
    }

    private void End(IResponseSink sink, long now)
    {
        _state = State.Head;
        sink.OnEnd(_status, now);
    }
}
