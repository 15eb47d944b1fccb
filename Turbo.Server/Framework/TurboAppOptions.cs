using System.Collections;
using Turbo.Server.Cli;

namespace Turbo.Server;

/// <summary>
/// Where an application's configuration comes from: the environment, and what is set here, which wins. Names, values and
/// defaults are those of <c>turbo</c> itself (the README's configuration table, <c>turbo help</c>).
/// <code>
/// TurboApp app = new(new TurboAppOptions { ["ADDRESS"] = "127.0.0.1:0", ["DB_ADDRESS"] = "sqlite:app.db" });
/// </code>
/// Read when the application starts.
/// </summary>
public sealed class TurboAppOptions : IEnumerable<KeyValuePair<string, string>>
{
    private readonly SortedDictionary<string, string> _values = new(StringComparer.Ordinal);

    /// <summary>Whether a variable that is not set here is taken from the environment. True by default; where not, it has its default.</summary>
    public bool UsesEnvironment { get; set; } = true;

    /// <summary>The clock of the application; another one in tests.</summary>
    public TimeProvider Time { get; set; } = TimeProvider.System;

    /// <summary>Where log lines go; null, the default, is stdout.</summary>
    public Stream? Log { get; set; }

    /// <summary>The value of a variable as text, such as <c>"30s"</c>; null where it is not set here.</summary>
    /// <exception cref="ArgumentException">There is no such variable.</exception>
    public string? this[string variable]
    {
        get => _values.GetValueOrDefault(variable);
        set
        {
            if (!AppOptions.Table.Any(row => row.Name == variable)) throw new ArgumentException($"{variable} is no variable of Turbo's", nameof(variable));
            if (value is null) _values.Remove(variable);
            else _values[variable] = value;
        }
    }

    /// <summary>What was set here.</summary>
    public IEnumerator<KeyValuePair<string, string>> GetEnumerator() => _values.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <exception cref="TurboStartException">A value is malformed.</exception>
    internal AppOptions Read()
    {
        if (AppOptions.TryRead(Value, out AppOptions? options, out string? error)) return options;
        throw new TurboStartException(error, ExitCode.Usage);
    }

    private string? Value(string variable) =>
        _values.TryGetValue(variable, out string? value) ? value : UsesEnvironment ? Environment.GetEnvironmentVariable(variable) : null;
}
