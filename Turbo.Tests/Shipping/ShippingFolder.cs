using Turbo.Tests.Support;

namespace Turbo.Tests.Shipping;

/// <summary>
/// What `scripts/release test` made for these tests, in the folder that TURBO_TEST_SHIPPING names: the release's archive, a
/// Debian system to install it on, and a `docker` with a store of its own. Without it they have nothing to run on.
/// </summary>
internal static class ShippingFolder
{
    /// <summary>Left out where no filter asks for it: these need root and minutes.</summary>
    public const string Category = "Shipping";

    // An image is built of its sources.
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(15);

    private static string? Folder { get; } = Environment.GetEnvironmentVariable("TURBO_TEST_SHIPPING") is { Length: > 0 } path ? path : null;

    /// <summary>A file of the folder.</summary>
    public static string File(string name)
    {
        if (Folder is null) Assert.Ignore("`scripts/release test` runs it");
        return Path.Combine(Folder!, name);
    }

    /// <summary>Starts a program that has the folder's `docker` at hand.</summary>
    public static TurboProcess Start(string folder, IReadOnlyDictionary<string, string> environment, string program, params string[] args) =>
        TurboProcess.StartProgram(program, folder, new Dictionary<string, string>(environment) { ["PATH"] = $"{File("bin")}:{Environment.GetEnvironmentVariable("PATH")}" }, args);

    /// <summary>What the program prints; it must succeed.</summary>
    public static async Task<string> PrintedAsync(string folder, IReadOnlyDictionary<string, string> environment, string program, params string[] args)
    {
        using TurboProcess process = Start(folder, environment, program, args);
        int code = await process.ExitAsync(s_patience);
        Assert.That(code, Is.Zero, $"{string.Join(' ', args)}\n{process.Out}\n{process.Error}");
        return process.Out;
    }
}
