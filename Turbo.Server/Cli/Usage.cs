using System.Reflection;
using System.Text;

namespace Turbo.Server.Cli;

/// <summary>The texts of `turbo help` and `turbo version`.</summary>
internal static class Usage
{
    private const int Width = 100;
    private const string Indent = "      ";

    public const string Commands =
        """
        usage: turbo [serve [--mock]]     run the server; --mock answers /v1 from a mock upstream started beside it
               turbo admin COMMAND        look after users, sessions, chats and events; see `turbo admin help`
               turbo mock [ADDRESS]       run the mock upstream alone, by default at :9090
               turbo health [URL]         exit 0 when the server at ADDRESS, or at the URL, answers /healthz with 200
               turbo help                 this text and the configuration
               turbo version              with the commit that it was built from
        """;

    private const int CommitDigits = 12;

    /// <summary>
    /// Such as <c>0.1.0 (commit 0123456789ab)</c>; without the commit where the build did not know one, as outside a git
    /// checkout.
    /// </summary>
    public static string Version { get; } =
        VersionOf(typeof(Usage).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion);

    /// <param name="informational">As the SDK writes it: <c>VERSION</c> or <c>VERSION+COMMIT</c>.</param>
    internal static string VersionOf(string informational)
    {
        int plus = informational.IndexOf('+', StringComparison.Ordinal);
        return plus < 0 ? informational : $"{informational[..plus]} (commit {informational.AsSpan(plus + 1)[..Math.Min(CommitDigits, informational.Length - plus - 1)]})";
    }

    /// <summary>The commands, then every variable with its default and meaning.</summary>
    public static string Help()
    {
        var text = new StringBuilder();
        text.Append(Commands).Append("\n\n");
        text.Append("The configuration is the environment. Durations are 500ms, 30s, 5m, 12h, 30d; sizes are bytes, 64K, 10M, 1G.\n");
        foreach (OptionRow row in AppOptions.Table)
        {
            text.Append('\n').Append("  ").Append(row.Name).Append(" (default ").Append(row.DefaultShown).Append(")\n");
            AppendWrapped(text, row.Meaning);
        }
        return text.ToString();
    }

    /// <summary>What was wrong and how it is right, on stderr; answers the exit code.</summary>
    public static int Refuse(string reason)
    {
        Console.Error.WriteLine($"turbo: {OptionMask.Printable(reason)}\n{Commands}");
        return ExitCode.Usage;
    }

    private static void AppendWrapped(StringBuilder text, string meaning)
    {
        int column = 0;
        foreach (string word in meaning.Replace("`", "", StringComparison.Ordinal).Split(' '))
        {
            bool isFirst = column == 0;
            if (!isFirst && column + 1 + word.Length > Width)
            {
                text.Append('\n');
                isFirst = true;
            }
            text.Append(isFirst ? Indent : " ").Append(word);
            column = isFirst ? Indent.Length + word.Length : column + 1 + word.Length;
        }
        text.Append('\n');
    }
}
