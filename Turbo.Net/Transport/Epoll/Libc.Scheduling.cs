using System.Runtime.InteropServices;

namespace Turbo.Net.Transport.Epoll;

internal static unsafe partial class Libc
{
    private const ulong ResetOnFork = 1, SliceNanoseconds = 100_000;

    /// <summary>The kernel's <c>struct sched_attr</c> in its first version (sched_setattr(2)).</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct SchedulingAttributes
    {
        public uint Size;
        public uint Policy;
        public ulong Flags;
        public int Nice;
        public uint Priority;
        public ulong Runtime;
        public ulong Deadline;
        public ulong Period;
    }

    /// <summary>
    /// Asks for turns of 0.1 ms, the shortest there are, for the calling thread. It gets no more of a processor; but a
    /// thread that wakes and wants little goes ahead, from Linux 6.12 on, of one that has not yet used up its longer
    /// turn. So what an event loop waits for does not wait for whatever stores, hashes or compiles beside it.
    /// </summary>
    /// <remarks>Needs no right. Older kernels take it and do nothing; one that refuses it leaves the thread as it was.</remarks>
    public static void TakeShortTurns()
    {
        (nint get, nint set) = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? (315, 314) : (275, 274);
        SchedulingAttributes attributes = default;
        if (SystemCall(get, 0, &attributes, sizeof(SchedulingAttributes), 0) != 0) return;
        // A policy that somebody chose for the process has slices of its own, or none.
        if (attributes.Policy != 0) return;
        attributes.Size = (uint)sizeof(SchedulingAttributes);
        attributes.Runtime = SliceNanoseconds;
        // The runtime may start threads of its own from this one: theirs are turns of the usual length.
        attributes.Flags |= ResetOnFork;
        _ = SystemCall(set, 0, &attributes, 0, 0);
    }

    // The C library has no function for these two everywhere.
    [LibraryImport("libc", EntryPoint = "syscall")]
    private static partial nint SystemCall(nint number, nint thread, SchedulingAttributes* attributes, nint third, nint fourth);
}
