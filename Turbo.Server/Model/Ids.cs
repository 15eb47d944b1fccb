namespace Turbo.Server.Model;

/// <summary>Record ids as the Go program writes them: random UUIDs (version 4) in lower case.</summary>
internal static class Ids
{
    /// <summary>A fresh id.</summary>
    public static string New() => Guid.NewGuid().ToString();
}
