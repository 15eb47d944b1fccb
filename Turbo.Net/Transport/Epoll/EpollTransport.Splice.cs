using System.IO.Pipelines;

namespace Turbo.Net.Transport.Epoll;

internal sealed partial class EpollTransport
{
    internal override bool CanSplice => true;

    internal override bool IsInputReady => _input.IsReady;

    internal override ValueTask<ReadResult> WaitForInputAsync() => _input.WaitAsync();

    internal override SpliceStatus SpliceTo(KernelPipe pipe, long most) => _input.SpliceTo(pipe, most);

    internal override SpliceStatus SpliceFrom(KernelPipe pipe) => _output.SpliceFrom(pipe);

    internal override ValueTask<FlushResult> WaitForOutputAsync() => _output.WaitAsync();
}
