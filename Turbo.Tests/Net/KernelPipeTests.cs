using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Turbo.Net.Transport;
using Turbo.Net.Transport.Epoll;

namespace Turbo.Tests.Net;

/// <summary>Pipes of the kernel's, and how many there are.</summary>
[TestFixture, Platform("Linux")]
internal sealed class KernelPipeTests
{
    [Test]
    public void A_pipe_gives_to_a_socket_or_a_writer_what_it_took_of_another()
    {
        (Socket peer, Socket mine) = Pair();
        using (peer)
        using (mine)
        {
            KernelPipe pipe = KernelPipe.TryOpen()!;
            Assert.That((Fill(pipe, mine, 100, out int errno), errno), Is.EqualTo((SpliceStatus.Again, Libc.Again)));
            peer.Send("hello, world"u8);
            Assert.That((Fill(pipe, mine, 5, out _), pipe.Held), Is.EqualTo((SpliceStatus.Moved, 5)), "no more than it was asked to");
            Assert.That((pipe.Drain(Number(mine)), pipe.Held), Is.EqualTo((SpliceStatus.Moved, 0)));
            byte[] got = new byte[100];
            Assert.That(Encoding.ASCII.GetString(got, 0, peer.Receive(got)), Is.EqualTo("hello"));

            Assert.That((Fill(pipe, mine, 100, out _), pipe.Held), Is.EqualTo((SpliceStatus.Moved, 7)));
            Pipe copied = new();
            pipe.Drain(copied.Writer);
            copied.Writer.Complete();
            Assert.That((pipe.Held, copied.Reader.TryRead(out ReadResult result), Encoding.ASCII.GetString(result.Buffer)), Is.EqualTo((0, true, ", world")));

            peer.Shutdown(SocketShutdown.Send);
            Assert.That((Fill(pipe, mine, 100, out errno), errno), Is.EqualTo((SpliceStatus.Ended, 0)), "a FIN is no error");
            pipe.Close();
        }
    }

    [Test]
    public void A_reset_is_an_error_and_a_descriptor_that_cannot_be_spliced_is_refused()
    {
        (Socket peer, Socket mine) = Pair();
        using (mine)
        {
            KernelPipe pipe = KernelPipe.TryOpen()!;
            peer.Send("bytes"u8);
            Fill(pipe, mine, 100, out _);
            peer.LingerState = new LingerOption(true, 0);
            peer.Close();
            Assert.That((Fill(Empty(pipe), mine, 100, out int errno), errno), Is.EqualTo((SpliceStatus.Ended, 104)));
            int counter = Libc.EventFd(0, Libc.NonBlocking | Libc.CloseOnExec);
            Assert.That((pipe.Fill(counter, 100, out errno), errno), Is.EqualTo((SpliceStatus.Refused, Libc.Invalid)));
            _ = Libc.Close(counter);
            pipe.Close();
        }
    }

    [Test]
    public void There_are_no_more_than_may_be_and_only_empty_ones_are_used_again()
    {
        (Socket peer, Socket mine) = Pair();
        using (peer)
        using (mine)
        {
            KernelPipes pipes = new(most: 2);
            KernelPipe first = pipes.TryRent()!, second = pipes.TryRent()!;
            Assert.That((pipes.TryRent(), pipes.Count), Is.EqualTo(((KernelPipe?)null, 2)));
            pipes.Return(first, now: 5000);
            Assert.That(pipes.TryRent(), Is.SameAs(first));

            peer.Send("left behind"u8);
            Fill(second, mine, 100, out _);
            pipes.Return(second, now: 5000);
            Assert.That(pipes.Count, Is.EqualTo(1), "it was closed");

            pipes.Return(first, now: 5000);
            pipes.Tick(now: 5999);
            Assert.That(pipes.Count, Is.EqualTo(1));
            pipes.Tick(now: 6000);
            Assert.That(pipes.Count, Is.Zero);

            KernelPipe last = pipes.TryRent()!;
            pipes.Close();
            Assert.That((pipes.IsOpen, pipes.TryRent(), pipes.Count), Is.EqualTo((false, (KernelPipe?)null, 1)));
            pipes.Return(last, now: 6000);
            Assert.That(pipes.Count, Is.Zero);
        }
    }

    private static (Socket Peer, Socket Mine) Pair()
    {
        using Socket listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        Socket peer = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveTimeout = 10_000 };
        peer.Connect(listener.LocalEndPoint!);
        Socket mine = listener.Accept();
        mine.Blocking = false;
        return (peer, mine);
    }

    private static SpliceStatus Fill(KernelPipe pipe, Socket socket, long most, out int errno) => pipe.Fill(Number(socket), most, out errno);

    private static KernelPipe Empty(KernelPipe pipe)
    {
        pipe.Drain(new Pipe().Writer);
        return pipe;
    }

    private static int Number(Socket socket) => (int)socket.SafeHandle.DangerousGetHandle();
}
