using System.IO.Pipelines;

namespace Turbo.Net.Transport.Epoll;

internal sealed partial class EpollTransport : ISplicing
{
    internal override ISplicing? Splicing => this;

    public bool IsInputReady => _input.IsReady;

    public ValueTask<ReadResult> WaitForInputAsync() => _input.WaitAsync();

    public SpliceStatus SpliceTo(KernelPipe pipe, long most) => _input.SpliceTo(pipe, most);

    public SpliceStatus SpliceFrom(KernelPipe pipe) => _output.SpliceFrom(pipe);

    public ValueTask<FlushResult> WaitForOutputAsync() => _output.WaitAsync();
}
