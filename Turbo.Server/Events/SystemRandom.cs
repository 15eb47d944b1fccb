using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using System.Security.Cryptography;

namespace Turbo.Server.Events;

/// <summary>
/// The system's random bytes, fit for secrets. On Linux they come from the kernel: the runtime's generator is OpenSSL's there,
/// whose library takes 4 MB of a process that needs nothing else of it yet.
/// </summary>
internal static class SystemRandom
{
    // EINTR, of every Linux.
    private const int Interrupted = 4;

    public static void Fill(Span<byte> bytes)
    {
        if (!OperatingSystem.IsLinux() || !TryFillFromKernel(bytes)) RandomNumberGenerator.Fill(bytes);
    }

    // getrandom(2). It may give less than it was asked for, and is refused in some sandboxes.
    [SupportedOSPlatform("linux")]
    private static unsafe bool TryFillFromKernel(Span<byte> bytes)
    {
        fixed (byte* start = bytes)
        {
            for (int filled = 0; filled < bytes.Length;)
            {
                nint got = GetRandom(start + filled, (nuint)(bytes.Length - filled), 0);
                if (got > 0) filled += (int)got;
                else if (got == 0 || Marshal.GetLastPInvokeError() != Interrupted) return false;
            }
        }
        return true;
    }

    [DllImport("libc", EntryPoint = "getrandom", SetLastError = true, ExactSpelling = true)]
    private static extern unsafe nint GetRandom(byte* buffer, nuint length, uint flags);
}
