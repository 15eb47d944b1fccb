namespace Turbo.Bench.Load;

/// <summary>Programs that may be installed.</summary>
internal static class Programs
{
    /// <summary>Its path, looked for where Debian keeps servers too; null when it is not installed.</summary>
    public static string? Find(string name) =>
        $"{Environment.GetEnvironmentVariable("PATH")}:/usr/sbin:/usr/local/sbin".Split(':').Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists);

    public static bool Exists(string name) => Find(name) is not null;
}
