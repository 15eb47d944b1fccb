using System.Globalization;
using System.Text;
using Turbo.Server.Auth;
using Turbo.Server.Storage;

namespace Turbo.Server.Admin;

/// <summary>A command was used or answered in a way that ends it: one line on stderr and the exit code.</summary>
internal sealed class AdminException(string message, int exitCode) : Exception(message)
{
    public int ExitCode { get; } = exitCode;

    /// <summary>What was asked for does not exist, or is taken.</summary>
    public static AdminException Failed(string message) => new(message, Cli.ExitCode.Failed);

    /// <summary>The command's words are off.</summary>
    public static AdminException Misused(string message) => new(message, Cli.ExitCode.Usage);
}

/// <summary>What a command works with.</summary>
internal sealed record AdminSession(Db Db, AppOptions Options, TimeProvider Time, AdminOutput Output, string[] Words, IReadOnlyDictionary<string, string> Flags)
{
    /// <summary>The one word at <paramref name="index"/>; the number of words was checked.</summary>
    public string Word(int index) => Words[index];

    /// <summary>The instant that a `--since 1h` flag means, or null without one.</summary>
    public DateTime? Since =>
        !Flags.TryGetValue("--since", out string? age) ? null
        : OptionParser.TryDuration(age, out TimeSpan span) ? Time.GetUtcNow().UtcDateTime - span
        : throw AdminException.Misused($"--since takes a duration such as 1h or 30d, not '{OptionMask.Printable(age)}'");

    /// <summary>The number that a `--limit N` flag gives, or <paramref name="absent"/> without one.</summary>
    public int Limit(int absent) =>
        !Flags.TryGetValue("--limit", out string? text) ? absent
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int limit) && limit > 0 ? limit
        : throw AdminException.Misused($"--limit takes a number from 1 to {int.MaxValue}");
}

/// <summary>A command: its words, its flags, what its columns are, and what it does.</summary>
internal sealed record AdminEntry(string Name, string[] Words, string[] Flags, string Meaning, string Columns, Func<AdminSession, Task> RunAsync)
{
    public string Synopsis => string.Join(' ', [Name, .. Words, .. Flags.Select(static f => $"[{f}]")]);

    /// <summary>The lines below the synopsis.</summary>
    public string Details => $"      {Meaning}\n      columns: {Columns}\n";
}

/// <summary>`turbo admin …`: works on the database of DB_ADDRESS, beside a running server too (contract section 10).</summary>
internal static class AdminCommand
{
    /// <summary>The longest wait for the database to open, another process's lock included.</summary>
    private static readonly TimeSpan s_openTimeout = TimeSpan.FromSeconds(20);

    public static IReadOnlyList<AdminEntry> Entries { get; } =
    [
        .. UserCommands.Entries,
        .. SessionCommands.Entries,
        .. ChatCommands.Entries,
        .. EventCommands.Entries,
        .. BackupCommands.Entries,
    ];

    public static async Task<int> RunAsync(string[] args)
    {
        try
        {
            if (HelpFor(args) is { } help)
            {
                Console.Out.Write(help);
                return Cli.ExitCode.Ok;
            }
            (AdminEntry entry, string[] words, Dictionary<string, string> flags, bool isJson) = Parse(args);
            if (!AppOptions.TryRead(Environment.GetEnvironmentVariable, out AppOptions? options, out string? error))
            {
                Console.Error.WriteLine(error);
                return Cli.ExitCode.Usage;
            }
            await using Db db = await OpenAsync(options, entry).ConfigureAwait(false);
            using AdminOutput output = new(Console.OpenStandardOutput(), isJson);
            await entry.RunAsync(new AdminSession(db, options, TimeProvider.System, output, words, flags)).ConfigureAwait(false);
            return Cli.ExitCode.Ok;
        }
        catch (AdminException e)
        {
            return Fail(e.Message, e.ExitCode);
        }
        catch (StorageException e)
        {
            return Fail($"the database failed: {OptionMask.Printable(e.Message)}", Cli.ExitCode.Failed);
        }
        catch (TimeoutException)
        {
            return Fail($"the database did not answer within {s_openTimeout.TotalSeconds} s", Cli.ExitCode.Failed);
        }
    }

    public static string Help()
    {
        StringBuilder text = new(
            """
            usage: turbo admin COMMAND [--json]

            Works on the database of DB_ADDRESS. Columns are separated by tabs; --json gives a JSON object a line.
            What begins with -- is a flag; -- alone ends them. An AGE is a duration such as 30m, 12h or 30d.
            `turbo admin COMMAND --help` tells of one command.

            """);
        foreach (AdminEntry entry in Entries) text.Append("\n  ").Append(entry.Synopsis).Append('\n').Append(entry.Details);
        return text.ToString();
    }

    /// <summary>What a call for help is answered with, of one command or all; null where it is none.</summary>
    private static string? HelpFor(string[] args) => args switch
    {
        [] or ["help" or "--help" or "-h"] => Help(),
        ["help", var name, ..] => HelpOf(name),
        [var name, "--help" or "-h", ..] => HelpOf(name),
        _ => null,
    };

    private static string HelpOf(string name)
    {
        AdminEntry entry = Find(name);
        return $"usage: turbo admin {entry.Synopsis} [--json]\n{entry.Details}";
    }

    private static AdminEntry Find(string name) =>
        Entries.FirstOrDefault(e => e.Name == name)
            ?? throw AdminException.Misused($"unknown command '{OptionMask.Printable(name)}'; `turbo admin help` lists them");

    private static (AdminEntry Entry, string[] Words, Dictionary<string, string> Flags, bool IsJson) Parse(string[] args)
    {
        AdminEntry entry = Find(args[0]);
        List<string> words = [];
        Dictionary<string, string> flags = [];
        bool isJson = false, hasEnded = false;
        for (int i = 1; i < args.Length; i++)
        {
            if (hasEnded)
            {
                words.Add(args[i]);
            }
            else if (args[i] == "--")
            {
                hasEnded = true;
            }
            else if (args[i] == "--json")
            {
                isJson = true;
            }
            else if (entry.Flags.Any(f => f.Split(' ')[0] == args[i]))
            {
                if (i + 1 == args.Length) throw Misuse(entry);
                flags[args[i]] = args[++i];
            }
            else if (args[i].StartsWith("--", StringComparison.Ordinal))
            {
                // Not repeated: it may be a password.
                throw Misuse(entry);
            }
            else
            {
                words.Add(args[i]);
            }
        }
        return words.Count == entry.Words.Length ? (entry, [.. words], flags, isJson) : throw Misuse(entry);

        static AdminException Misuse(AdminEntry entry) => AdminException.Misused($"usage: turbo admin {entry.Synopsis} [--json]");
    }

    private static Task<Db> OpenAsync(AppOptions options, AdminEntry entry)
    {
        // A mistyped path must not leave an empty database behind; only the first user may.
        if (options.Database is SqliteAddress sqlite && entry.Name != "create" && !File.Exists(sqlite.Path))
        {
            throw AdminException.Failed($"there is no database at {OptionMask.Printable(sqlite.Path)}");
        }
        return Db.OpenAsync(options.Database, new DbOptions { Queue = options.StorageQueue }, TimeProvider.System).WaitAsync(s_openTimeout);
    }

    private static int Fail(string line, int code)
    {
        Console.Error.WriteLine($"turbo admin: {line}");
        return code;
    }
}
