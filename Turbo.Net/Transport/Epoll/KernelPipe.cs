using System.Diagnostics;
using System.IO.Pipelines;

namespace Turbo.Net.Transport.Epoll;

/// <summary>
/// A pipe of the kernel's that takes the pages of one socket's bytes and gives them to another. Two descriptors; used by one
/// exchange at a time, and closed instead of used again when bytes are left in it.
/// </summary>
internal sealed class KernelPipe
{
    // Room for that many pages of bytes: what a socket has at once, and what a slow peer keeps in the kernel.
    private const int WantedBytes = 256 * 1024;

    // The kernel gives less to a user who has many: below its own default a copy costs no more.
    private const int LeastBytes = 64 * 1024;

    private readonly int _out;
    private readonly int _in;
    private readonly int _room;

    private KernelPipe(int @out, int @in, int room)
    {
        _out = @out;
        _in = @in;
        _room = room;
    }

    /// <summary>Bytes in it.</summary>
    public int Held { get; private set; }

    /// <summary>When it was last given back, in its pool's milliseconds.</summary>
    public long IdleSince { get; set; }

    /// <summary>Makes one; null where the process is short of descriptors or the user of room in pipes.</summary>
    public static unsafe KernelPipe? TryOpen()
    {
        if (Descriptors.AreScarce()) return null;
        int* ends = stackalloc int[2];
        if (Libc.Pipe(ends, Libc.NonBlocking | Libc.CloseOnExec) != 0) return null;
        int room = Libc.Control(ends[0], Libc.SetPipeBytes, WantedBytes);
        if (room < 0) room = Libc.Control(ends[0], Libc.GetPipeBytes, 0);
        KernelPipe pipe = new(ends[0], ends[1], room);
        if (room >= LeastBytes && !Descriptors.IsScarce(ends[1])) return pipe;
        pipe.Close();
        return null;
    }

    /// <summary>Moves received bytes of a socket into the pipe, which is empty. An end has no <paramref name="errno"/>.</summary>
    public SpliceStatus Fill(int socket, long most, out int errno)
    {
        Debug.Assert(Held == 0, "a full pipe looks like an empty socket");
        nint moved;
        do
        {
            moved = Libc.Splice(socket, 0, _in, 0, (nint)Math.Min(most, _room), Libc.SpliceMove | Libc.SpliceNonBlocking);
            errno = moved < 0 ? Libc.Errno : 0;
        }
        while (errno == Libc.Interrupted);
        if (moved > 0)
        {
            Held = (int)moved;
            return SpliceStatus.Moved;
        }
        return moved == 0 ? SpliceStatus.Ended : ToStatus(errno);
    }

    /// <summary>Moves what it holds into a socket, as far as that takes it.</summary>
    public SpliceStatus Drain(int socket)
    {
        while (Held > 0)
        {
            nint moved = Libc.Splice(_out, 0, socket, 0, Held, Libc.SpliceMove | Libc.SpliceNonBlocking);
            if (moved > 0)
            {
                Held -= (int)moved;
                continue;
            }
            if (moved == 0) return SpliceStatus.Ended;
            int errno = Libc.Errno;
            if (errno != Libc.Interrupted) return ToStatus(errno);
        }
        return SpliceStatus.Moved;
    }

    /// <summary>Copies what it holds.</summary>
    public unsafe void Drain(PipeWriter output)
    {
        while (Held > 0)
        {
            Span<byte> room = output.GetSpan(1);
            nint read;
            fixed (byte* start = room) read = Libc.Read(_out, start, Math.Min(room.Length, Held));
            if (read < 0 && Libc.Errno == Libc.Interrupted) continue;
            if (read <= 0) throw new IOException("a pipe does not give what it holds", read < 0 ? Libc.ToException(Libc.Errno) : null);
            output.Advance((int)read);
            Held -= (int)read;
        }
    }

    public void Close()
    {
        _ = Libc.Close(_out);
        _ = Libc.Close(_in);
    }

    private static SpliceStatus ToStatus(int errno) => errno switch
    {
        Libc.Again => SpliceStatus.Again,
        // A file or a kernel that cannot, or a sandbox that may not.
        Libc.Invalid or Libc.NoSystemCall or Libc.NotSupported or Libc.NotPermitted => SpliceStatus.Refused,
        _ => SpliceStatus.Ended,
    };
}
