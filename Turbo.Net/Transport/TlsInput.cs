using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;

namespace Turbo.Net.Transport;

/// <summary>
/// What was received in TLS as its owner sees it. A connection that ended without close_notify may have been cut by
/// anyone on the way (RFC 9112 §9.8): its end is a failure, told when all that came before was read, since a message
/// whose framing shows it whole is whole. (A pipe that fails would drop it.)
/// </summary>
internal sealed class TlsInput(PipeReader pipe) : PipeReader
{
    private volatile bool _isTruncated;
    private volatile bool _hasEnded;
    private long _lastLength = -1;
    private ReadOnlySequence<byte> _read;
    private long _received;
    private long _taken;

    /// <summary>Whether there is something that its owner has not taken, or an end; from any thread.</summary>
    public bool MayHaveInput => _hasEnded || Volatile.Read(ref _received) != Volatile.Read(ref _taken);

    /// <summary>So many bytes are about to come.</summary>
    public void Receives(int bytes) => Volatile.Write(ref _received, _received + bytes);

    /// <summary>Nothing more comes.</summary>
    public void Ends() => _hasEnded = true;

    /// <summary>Whether the end of the pipe is none of the peer's making.</summary>
    public bool IsTruncated
    {
        get => _isTruncated;
        set => _isTruncated = value;
    }

    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        ValueTask<ReadResult> read = pipe.ReadAsync(cancellationToken);
        return read.IsCompletedSuccessfully ? new ValueTask<ReadResult>(Judge(read.Result)) : AwaitAsync(read);
    }

    public override bool TryRead(out ReadResult result)
    {
        if (!pipe.TryRead(out result)) return false;
        result = Judge(result);
        return true;
    }

    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        long taken = _read.IsEmpty ? 0 : _read.Slice(0, consumed).Length;
        _read = default;
        pipe.AdvanceTo(consumed, examined);
        if (taken > 0) Volatile.Write(ref _taken, _taken + taken);
    }

    public override void CancelPendingRead() => pipe.CancelPendingRead();

    public override void Complete(Exception? exception = null) => pipe.Complete(exception);

    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder<>))]
    private async ValueTask<ReadResult> AwaitAsync(ValueTask<ReadResult> read) => Judge(await read.ConfigureAwait(false));

    private ReadResult Judge(in ReadResult result)
    {
        _read = result.Buffer;
        if (!result.IsCompleted || !_isTruncated) return result;
        long length = result.Buffer.Length;
        // Nothing more can come: who reads again having taken nothing waits for what was cut off.
        if (length == 0 || length == _lastLength)
        {
            pipe.AdvanceTo(result.Buffer.Start);
            throw new IOException("the peer ended the connection without ending TLS");
        }
        _lastLength = length;
        return new ReadResult(result.Buffer, result.IsCanceled, isCompleted: false);
    }
}
