namespace Turbo.Server.Cli;

/// <summary>
/// Whenever .NET judges or builds a chain of certificates it looks below the home folder for those that the user distrusts, and
/// fails, with the connection, where there is none: HOME is not set and the user is not in passwd, as under a unit with
/// <c>DynamicUser=</c>. Then the root folder stands for it, as it does for .NET elsewhere.
/// </summary>
internal static class HomeFolder
{
    private const string Variable = "HOME";

    /// <summary>Sees to it that there is one; before anything that speaks TLS.</summary>
    public static void Ensure()
    {
        if (OperatingSystem.IsWindows() || Environment.GetEnvironmentVariable(Variable) is { Length: > 0 }) return;
        string home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile, Environment.SpecialFolderOption.DoNotVerify);
        Environment.SetEnvironmentVariable(Variable, home.Length > 0 ? home : "/");
    }
}
