using System.Runtime.CompilerServices;
using Turbo.Net.Http1;
using Turbo.Net.Transport;
using Turbo.Net.Transport.Epoll;

namespace Turbo.Net.Upstream;

/// <summary>Content that goes through without being read: see <see cref="ISplicing"/>.</summary>
internal sealed partial class UpstreamConnection
{
    /// <summary>Bytes of content still to come in one piece, of which none was received yet.</summary>
    public long SpliceableBytes => _kind switch
    {
        _ when !Rest.IsEmpty || HasEnded => 0,
        BodyKind.Length => _left,
        BodyKind.Chunked => _chunks.DataLeft,
        BodyKind.UntilClose => long.MaxValue,
        _ => 0,
    };

    /// <summary>That many bytes of content were taken from the connection elsewhere.</summary>
    public void Spliced(long bytes)
    {
        if (_kind == BodyKind.Length) _left -= bytes;
        else if (_kind == BodyKind.Chunked) _chunks.SkipData(bytes);
    }

    /// <summary>Sends what the pipe holds once upstream takes more; false when it takes no more.</summary>
    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder<>))]
    public async ValueTask<bool> DrainAsync(KernelPipe pipe, TimeSpan timeout)
    {
        ISplicing splicing = transport.Splicing!;
        Volatile.Write(ref _writeDeadline, Due(timeout));
        try
        {
            while (true)
            {
                switch (splicing.SpliceFrom(pipe))
                {
                    case SpliceStatus.Moved:
                        return true;
                    case SpliceStatus.Ended:
                        return false;
                    case SpliceStatus.Refused:
                        pool.Pipes!.Close();
                        pipe.Drain(transport.Output);
                        return !(await transport.Output.FlushAsync().ConfigureAwait(false)).IsCompleted;
                }
                if ((await splicing.WaitForOutputAsync().ConfigureAwait(false)).IsCompleted) return false;
            }
        }
        catch (Exception e) when (IsFault(e))
        {
            return false;
        }
        finally
        {
            Volatile.Write(ref _writeDeadline, Never);
        }
    }
}
