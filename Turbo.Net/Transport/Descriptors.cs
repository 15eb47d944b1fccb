using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Turbo.Net.Transport;

/// <summary>
/// Keeps a process clear of its limit of open descriptors. The runtime needs some for every thread it starts and every
/// assembly it loads, and one that it does not get ends the process; so connections leave it a reserve. The kernel gives
/// out the lowest free number: a high one says that all below are taken.
/// </summary>
internal static partial class Descriptors
{
    private const int NumberOfFiles = 7, CloseOnExec = 0x80000;

    // Enough for a burst of threads, of which each takes two; of a small limit, a quarter of what is free at the start.
    private const long MostReserve = 64;

    private static readonly long s_limit = ReadLimit();
    private static readonly long s_reserve = Math.Min(MostReserve, (s_limit - Math.Max(0, LowestFree())) / 4);

    /// <summary>Whether a descriptor with that number is one of the last; clients' connections stop there.</summary>
    public static bool IsScarce(long number) => number >= s_limit - s_reserve;

    /// <summary>Whether the next descriptor would be one of the last.</summary>
    public static bool AreScarce() => AreScarce(s_reserve);

    /// <summary>As <see cref="AreScarce()"/> for connections to the origin, which clients that are already there wait for: they may take half of the reserve.</summary>
    public static bool AreVeryScarce() => AreScarce(s_reserve / 2);

    /// <summary>What a listener reports when it waits for descriptors.</summary>
    public static SocketException ToException() => new((int)SocketError.TooManyOpenSockets);

    private static bool AreScarce(long reserve)
    {
        if (s_limit == long.MaxValue) return false;
        long lowest = LowestFree();
        return lowest < 0 || lowest >= s_limit - reserve;
    }

    // The number that the next descriptor gets; negative where there is none.
    private static long LowestFree()
    {
        if (s_limit == long.MaxValue) return 0;
        int number = EventFd(0, CloseOnExec);
        if (number >= 0) _ = Close(number);
        return number;
    }

    // The soft limit is for programs that use select(2), and a shell's is 1,024. The runtime raises it to the hard one, and a
    // native build's does not.
    private static long ReadLimit()
    {
        if (!OperatingSystem.IsLinux() || GetLimit(NumberOfFiles, out Limits limits) != 0) return long.MaxValue;
        Limits raised = limits with { Soft = limits.Hard };
        ulong limit = limits.Soft < limits.Hard && SetLimit(NumberOfFiles, raised) == 0 ? raised.Soft : limits.Soft;
        return limit <= long.MaxValue ? (long)limit : long.MaxValue;
    }

    private struct Limits
    {
        public ulong Soft;
        public ulong Hard;
    }

    [LibraryImport("libc", EntryPoint = "getrlimit")]
    private static partial int GetLimit(int resource, out Limits limits);

    [LibraryImport("libc", EntryPoint = "setrlimit")]
    private static partial int SetLimit(int resource, in Limits limits);

    [LibraryImport("libc", EntryPoint = "eventfd")]
    private static partial int EventFd(uint initial, int flags);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int fd);
}
