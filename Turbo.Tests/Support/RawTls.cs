using System.Net.Security;
using System.Net.Sockets;
using System.Runtime.ExceptionServices;

namespace Turbo.Tests.Support;

/// <summary>TLS for a <see cref="RawClient"/>: fails as its socket does, and knows how the server ended it.</summary>
internal sealed class RawTls
{
    private readonly EndingStream _inner;

    public RawTls(Socket socket, SslClientAuthenticationOptions options)
    {
        _inner = new EndingStream(socket);
        Stream = new SslStream(_inner);
        Stream.AuthenticateAsClient(options);
    }

    public SslStream Stream { get; }

    /// <summary>Whether the server's FIN came without a close_notify.</summary>
    public bool IsCut => _inner.HasEnded;

    /// <summary>How many bytes of a record leave in one packet at most.</summary>
    public int PacketBytes { set => _inner.PacketBytes = value; }

    public void Send(ReadOnlySpan<byte> wire)
    {
        try
        {
            Stream.Write(wire);
        }
        catch (IOException e) when (e.InnerException is SocketException inner)
        {
            ExceptionDispatchInfo.Throw(inner);
        }
    }

    public int Receive(Span<byte> buffer)
    {
        try
        {
            return Stream.Read(buffer);
        }
        catch (IOException e) when (e.InnerException is SocketException inner)
        {
            ExceptionDispatchInfo.Throw(inner);
            throw;
        }
    }

    // A class derived from NetworkStream is given arrays, never spans.
    private sealed class EndingStream(Socket socket) : NetworkStream(socket, ownsSocket: false)
    {
        public bool HasEnded { get; private set; }

        public int PacketBytes { get; set; } = int.MaxValue;

        public override int Read(byte[] buffer, int offset, int count)
        {
            int read = base.Read(buffer, offset, count);
            if (read == 0 && count > 0) HasEnded = true;
            return read;
        }

        public override void Write(byte[] buffer, int offset, int count)
        {
            for (int end = offset + count; offset < end; offset += Math.Min(PacketBytes, end - offset)) base.Write(buffer, offset, Math.Min(PacketBytes, end - offset));
        }
    }
}
