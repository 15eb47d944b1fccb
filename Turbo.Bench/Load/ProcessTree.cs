using System.Globalization;

namespace Turbo.Bench.Load;

/// <summary>What a process and all below it have used, from /proc.</summary>
internal static class ProcessTree
{
    // USER_HZ: what the kernel tells times in, the same on every Linux that .NET runs on.
    private const double TicksPerSecond = 100;

    /// <summary>Processor time in user and kernel mode, of ended threads too, in seconds; it moves in steps of 10 ms.</summary>
    public static double CpuSeconds(int process)
    {
        long ticks = 0;
        foreach (int one in WithChildren(process))
        {
            if (Fields(one) is { } fields) ticks += long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture);
        }
        return ticks / TicksPerSecond;
    }

    /// <summary>Memory that is resident, in bytes.</summary>
    public static long ResidentBytes(int process)
    {
        long bytes = 0;
        foreach (int one in WithChildren(process))
        {
            if (Read($"/proc/{one}/status") is not { } status) continue;
            foreach (string line in status.Split('\n'))
            {
                if (line.StartsWith("VmRSS:", StringComparison.Ordinal)) bytes += 1024 * long.Parse(line[6..].Replace("kB", "").Trim(), CultureInfo.InvariantCulture);
            }
        }
        return bytes;
    }

    /// <summary>The process and those that it, or one of them, started.</summary>
    public static List<int> WithChildren(int process)
    {
        ILookup<int, int> children = Directory.EnumerateDirectories("/proc")
            .Select(static folder => int.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out int id) ? id : 0)
            .Where(static id => id > 0)
            .Select(static id => (Id: id, Fields: Fields(id)))
            .Where(static one => one.Fields is not null)
            .ToLookup(static one => int.Parse(one.Fields![1], CultureInfo.InvariantCulture), static one => one.Id);
        List<int> all = [process];
        for (int i = 0; i < all.Count; i++) all.AddRange(children[all[i]]);
        return all;
    }

    // The name before them may have spaces and parentheses in it.
    private static string[]? Fields(int process) =>
        Read($"/proc/{process}/stat") is { } stat ? stat[(stat.LastIndexOf(')') + 2)..].Split(' ') : null;

    private static string? Read(string file)
    {
        try
        {
            return File.ReadAllText(file);
        }
        // It has ended meanwhile.
        catch (IOException)
        {
            return null;
        }
        catch (UnauthorizedAccessException)
        {
            return null;
        }
    }
}
