using System.Diagnostics;
using System.Text;

namespace Turbo.Tests.Support;

/// <summary>
/// The built `turbo` as a process of its own: its output, its exit code, its signals. Ended with the test. TURBO_TEST_BINARY
/// names another build to try, such as the one of scripts/aot; fixtures that would then try it have the category
/// <see cref="Category"/>.
/// </summary>
internal sealed class TurboProcess : IDisposable
{
    public const string Category = "Process";

    /// <summary>The build that is tried; null is the one that was built with the tests.</summary>
    public static string? Binary { get; } = Environment.GetEnvironmentVariable("TURBO_TEST_BINARY") is { Length: > 0 } path ? Path.GetFullPath(path) : null;

    // A script may build first.
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);

    private readonly Process _process;
    private readonly StringBuilder _out = new();
    private readonly StringBuilder _error = new();
    private readonly Task _reading;

    private TurboProcess(ProcessStartInfo start)
    {
        _process = Process.Start(start)!;
        _process.StandardInput.Close();
        _reading = Task.WhenAll(ReadAsync(_process.StandardOutput, _out), ReadAsync(_process.StandardError, _error));
    }

    public string Out => Text(_out);

    public string Error => Text(_error);

    public int Id => _process.Id;

    /// <summary>What runs `turbo`: a program and its first arguments.</summary>
    public static string[] Command { get; } = Binary is null ? ["dotnet", typeof(Turbo.Server.AppOptions).Assembly.Location] : [Binary];

    /// <summary>Starts `turbo` with these variables and no other of its own; the working folder is where turbo.db goes.</summary>
    public static TurboProcess Start(string folder, IReadOnlyDictionary<string, string> environment, params string[] args) =>
        StartProgram(Command[0], folder, environment, [.. Command[1..], .. args]);

    /// <summary>The same by way of another program, such as a script.</summary>
    public static TurboProcess StartProgram(string program, string folder, IReadOnlyDictionary<string, string> environment, params string[] args)
    {
        var start = new ProcessStartInfo(program, args)
        {
            WorkingDirectory = folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
            StandardErrorEncoding = Encoding.UTF8,
        };
        foreach (Turbo.Server.OptionRow row in Turbo.Server.AppOptions.Table) start.Environment.Remove(row.Name);
        foreach ((string name, string value) in environment) start.Environment[name] = value;
        return new TurboProcess(start);
    }

    /// <summary>Waits until the process has ended and all its output is read; two minutes unless it is said how long.</summary>
    public async Task<int> ExitAsync(TimeSpan? patience = null)
    {
        await _process.WaitForExitAsync().WaitAsync(patience ?? s_patience);
        await _reading.WaitAsync(s_patience);
        return _process.ExitCode;
    }

    /// <summary>Waits for a line on stdout that contains the text, and answers it.</summary>
    public async Task<string> LineAsync(string part)
    {
        long started = Stopwatch.GetTimestamp();
        while (true)
        {
            // A last line may still be growing.
            bool ended = _reading.IsCompleted;
            foreach (string line in Out.Split('\n')[..^1])
            {
                if (line.Contains(part, StringComparison.Ordinal)) return line;
            }
            if (ended || Stopwatch.GetElapsedTime(started) > s_patience)
                throw new TimeoutException($"no line with '{part}' came; stdout:\n{Out}\nstderr:\n{Error}");
            await Task.Delay(5);
        }
    }

    /// <summary>Sends a signal by its name, such as TERM.</summary>
    public void Signal(string name)
    {
        using Process kill = Process.Start("kill", ["-" + name, Id.ToString()]);
        kill.WaitForExit();
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            _process.WaitForExit();
        }
        _process.Dispose();
    }

    private static string Text(StringBuilder text)
    {
        lock (text) return text.ToString();
    }

    private static async Task ReadAsync(StreamReader from, StringBuilder to)
    {
        var buffer = new char[4096];
        while (await from.ReadAsync(buffer) is > 0 and int read)
        {
            lock (to) to.Append(buffer, 0, read);
        }
    }
}
