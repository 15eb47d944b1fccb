using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using Microsoft.Win32.SafeHandles;
using SQLitePCL;

namespace Turbo.Server.Storage.Sqlite;

/// <summary>
/// SQLite's native library inside a native build, which is one file: there it is a resource of the program, loaded from
/// memory, so that no file of it is written, found or replaced. Any other build has the library beside it, and this does
/// nothing.
/// </summary>
internal static class EmbeddedSqlite
{
    /// <summary>The resource's name, and what the library is called in a process's map of its memory.</summary>
    public const string Name = "libe_sqlite3.so";

    private const uint CloseOnExec = 1;
    private const int DontNeed = 4;

    private static int s_isUsed;

    /// <summary>Before the first use of SQLite; again, it does nothing.</summary>
    public static unsafe void Use()
    {
        if (!OperatingSystem.IsLinux() || Interlocked.Exchange(ref s_isUsed, 1) != 0) return;
        // A native program's resources are bytes of its own image.
        using var resource = typeof(EmbeddedSqlite).Assembly.GetManifestResourceStream(Name) as UnmanagedMemoryStream;
        if (resource is null) return;
        ReadOnlySpan<byte> bytes = new(resource.PositionPointer, checked((int)resource.Length));
        if (!TryLoadFromMemory(bytes, out nint library)) library = LoadFromFile(bytes, Path.GetTempPath());
        // Both that import from it get this one, not a file of that name which lies beside the program.
        DllImportResolver resolve = (name, _, _) => name == SqliteNative.Library ? library : 0;
        NativeLibrary.SetDllImportResolver(typeof(SQLite3Provider_e_sqlite3).Assembly, resolve);
        NativeLibrary.SetDllImportResolver(typeof(SqliteNative).Assembly, resolve);
        Forget(bytes);
    }

    /// <summary>Loads the bytes of a shared library; false where a file in memory is not to be had, as in some sandboxes.</summary>
    [SupportedOSPlatform("linux")]
    internal static bool TryLoadFromMemory(ReadOnlySpan<byte> bytes, out nint library)
    {
        library = 0;
        using SafeFileHandle file = new(CreateMemoryFile("libe_sqlite3.so\0"u8.ToArray(), CloseOnExec), ownsHandle: true);
        if (file.IsInvalid) return false;
        RandomAccess.Write(file, bytes, 0);
        return NativeLibrary.TryLoad($"/proc/self/fd/{file.DangerousGetHandle()}", out library);
    }

    /// <summary>The same by way of a file, which is there for a moment, in a folder of this user's alone.</summary>
    [SupportedOSPlatform("linux")]
    internal static nint LoadFromFile(ReadOnlySpan<byte> bytes, string temporary)
    {
        DirectoryInfo folder = Directory.CreateDirectory(
            Path.Combine(temporary, $"turbo-{Guid.NewGuid():N}"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        try
        {
            string path = Path.Combine(folder.FullName, Name);
            using (SafeFileHandle file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write)) RandomAccess.Write(file, bytes, 0);
            return NativeLibrary.Load(path);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    // Whole pages of the image that are not read again: the kernel may have them back now. Should they be read all the same,
    // they come from the program's file once more.
    private static unsafe void Forget(ReadOnlySpan<byte> image)
    {
        nint page = Environment.SystemPageSize;
        fixed (byte* start = image)
        {
            nint from = ((nint)start + page - 1) / page * page, to = ((nint)start + image.Length) / page * page;
            if (to > from) _ = Advise(from, to - from, DontNeed);
        }
    }

    [DllImport("libc", EntryPoint = "memfd_create")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int CreateMemoryFile(byte[] name, uint flags);

    [DllImport("libc", EntryPoint = "madvise")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Advise(nint address, nint length, int advice);
}
