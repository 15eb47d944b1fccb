using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using Turbo.Server.Storage.Sqlite;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Storage;

/// <summary>The native library as bytes, which is how a native build has it (scripts/aot).</summary>
[TestFixture]
[Platform("Linux")]
[SupportedOSPlatform("linux")]
internal sealed class EmbeddedSqliteTests
{
    [Test]
    public void It_is_loaded_from_memory()
    {
        Assert.That(EmbeddedSqlite.TryLoadFromMemory(Library(), out nint library));
        IsSqlite(library);
        Assert.That(File.ReadAllText("/proc/self/maps"), Does.Contain($"/memfd:{EmbeddedSqlite.Name} (deleted)"));
    }

    [Test]
    public void What_is_no_library_is_not_loaded_and_leaves_no_file()
    {
        using TempFolder folder = new();
        Assert.That(() => EmbeddedSqlite.LoadFromFile("not an ELF file"u8, folder.Path), Throws.InstanceOf<DllNotFoundException>());
        Assert.That(Directory.GetFileSystemEntries(folder.Path), Is.Empty);
    }

    [Test]
    public void A_file_is_there_for_a_moment_only()
    {
        using TempFolder folder = new();
        IsSqlite(EmbeddedSqlite.LoadFromFile(Library(), folder.Path));
        Assert.That(Directory.GetFileSystemEntries(folder.Path), Is.Empty);
    }

    private static byte[] Library() => File.ReadAllBytes(Path.Combine(
        AppContext.BaseDirectory, "runtimes", $"linux-{RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant()}", "native", EmbeddedSqlite.Name));

    private static void IsSqlite(nint library) => Assert.That(NativeLibrary.TryGetExport(library, "sqlite3_open_v2", out _));
}
