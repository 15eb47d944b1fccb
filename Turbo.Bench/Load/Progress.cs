namespace Turbo.Bench.Load;

/// <summary>Says what goes on: on a terminal in one line that is written over, else in a line for each group of steps.</summary>
/// <param name="steps">How many there are; 0 is not known.</param>
internal sealed class Progress(int steps)
{
    private static readonly bool s_isTerminal = !Console.IsErrorRedirected && Environment.GetEnvironmentVariable("TERM") is not (null or "" or "dumb");

    private int _step;
    private string _group = "";
    private string _line = "";

    /// <summary>Begins the next step.</summary>
    /// <param name="group">What it belongs to.</param>
    /// <param name="what">Which of these it is.</param>
    public void Step(string group, string what)
    {
        Interrupt.Check();
        _step++;
        string at = steps > 0 ? $"[{_step}/{steps}] " : "";
        _line = $"{at}{group}: {what}";
        if (s_isTerminal) Show(_line);
        else if (group != _group) Console.Error.WriteLine($"{at}{group}");
        _group = group;
    }

    /// <summary>How the step goes; on a terminal only.</summary>
    public void Detail(string detail)
    {
        Interrupt.Check();
        if (s_isTerminal) Show($"{_line}: {detail}");
    }

    /// <summary>Something to know that stays.</summary>
    public static void Note(string line)
    {
        EndLine();
        Console.Error.WriteLine(line);
    }

    /// <summary>Takes the line away that is written over.</summary>
    public static void EndLine()
    {
        if (s_isTerminal) Console.Error.Write("\r\x1b[K");
    }

    // Cut to the width: a line that wraps is not written over.
    private static void Show(string line)
    {
        int width = Console.WindowWidth is > 10 and int columns ? columns - 1 : 79;
        Console.Error.Write($"\r\x1b[K{line[..Math.Min(line.Length, width)]}");
    }
}
