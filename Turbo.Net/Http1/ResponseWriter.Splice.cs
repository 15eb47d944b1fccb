namespace Turbo.Net;

/// <summary>Content that goes to the client without being written here: see <see cref="Transport.ISplicing"/>.</summary>
public sealed partial class ResponseWriter
{
    /// <summary>Whether content may go on that way now: its head has left, and so has all that was written after it.</summary>
    internal bool MaySplice => _state is State.Length or State.Chunked or State.UntilClose && !IsHeadOnly && !_hasEarlierFlush && Unflushed == 0;

    /// <summary>That many bytes of content are about to be spliced. What this writes before them is to be flushed first.</summary>
    internal void BeginSplice(long bytes)
    {
        ContentBytes += bytes;
        if (_state == State.Length && (_left -= bytes) < 0) throw new InvalidOperationException("more content than Content-Length");
        if (_state == State.Chunked) ChunkHeader(bytes);
    }

    /// <summary>They were.</summary>
    internal void EndSplice()
    {
        if (_state == State.Chunked) Raw("\r\n"u8);
    }
}
