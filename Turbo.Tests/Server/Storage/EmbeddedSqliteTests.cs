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

    /// <summary>Statements are bound by Microsoft.Data.Sqlite's provider and, for rows of events, by imports of our own.</summary>
    [Test]
    [Category(TurboProcess.Category)]
    public async Task One_library_serves_all_though_another_lies_beside_a_native_program()
    {
        using TempFolder folder = new();
        string? program = null;
        if (TurboProcess.Binary is { } binary)
        {
            program = folder.File("turbo");
            File.Copy(binary, program);
            File.Copy(LibraryPath, folder.File(EmbeddedSqlite.Name));
        }
        using TurboNode turbo = await TurboNode.StartAsync(program, ("OPENAI_API_URL", "http://127.0.0.1:9"));
        string token = (await turbo.FormAsync("/user/signup", "username=ann")).Json.GetProperty("Token").GetString()!;
        Assert.That((await turbo.GetAsync("/chat/read", token)).Status, Is.EqualTo(400));
        // Stored, so that both imports are in use.
        while (!(await turbo.GetAsync("/event/index", token)).Content.Contains("/chat/read", StringComparison.Ordinal)) await Task.Delay(5);
        string[] mapped = [.. File.ReadLines($"/proc/{turbo.ProcessId}/maps").Where(static line => line.Contains(EmbeddedSqlite.Name, StringComparison.Ordinal))
            .Select(static line => line[line.IndexOf('/')..]).Distinct()];
        Assert.That(mapped, Is.EqualTo(new[] { program is null ? LibraryPath : $"/memfd:{EmbeddedSqlite.Name} (deleted)" }));
        await turbo.StopAsync();
    }

    private static string LibraryPath { get; } = Path.Combine(
        AppContext.BaseDirectory, "runtimes", $"linux-{RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant()}", "native", EmbeddedSqlite.Name);

    private static byte[] Library() => File.ReadAllBytes(LibraryPath);

    private static void IsSqlite(nint library) => Assert.That(NativeLibrary.TryGetExport(library, "sqlite3_open_v2", out _));
}
