using System.Diagnostics;
using System.Globalization;
using SharpFuzz;
using Turbo.Tests.Fuzz;

namespace Turbo.Bench.Fuzz;

/// <summary>
/// What scripts/fuzz runs.
/// <code>
/// fuzz instrument FOLDER             counts edges in the copies of Turbo.Net and Turbo.Server in FOLDER
/// fuzz run MINUTES WORK SEEDS TARGET…  fuzzes each target for that much CPU; corpus, findings and runs.tsv go to WORK
/// fuzz replay TARGET FILE            runs one input again
/// fuzz keep WORK SEEDS TARGET…       writes to SEEDS the fewest inputs that reach all that was reached
/// fuzz list                          names the targets
/// </code>
/// </summary>
internal static class FuzzCommand
{
    // Of one target's seeds in the tree: all of them together stay well under 2 MB.
    private const int MaxSeedBytes = 120 * 1024;

    public static int Run(string[] args)
    {
        CoverageMap.Attach();
        try
        {
            return Dispatch(args);
        }
        catch (Exception e) when (e is ArgumentException or FormatException or IOException)
        {
            // No such target, no number, no file.
            Console.Error.WriteLine($"fuzz: {e.Message}");
            return 2;
        }
    }

    private static int Dispatch(string[] args) => args switch
    {
        ["instrument", string folder] => Instrument(folder),
        ["run", string minutes, string work, string seeds, .. string[] targets] => Fuzz(double.Parse(minutes, CultureInfo.InvariantCulture), work, seeds, targets),
        ["replay", string target, string file] => Replay(target, file),
        ["keep", string work, string seeds, .. string[] targets] => Keep(work, seeds, targets),
        ["list"] => List(),
        _ => Misused(),
    };

    private static int Instrument(string folder)
    {
        foreach (string assembly in (string[])["Turbo.Net.dll", "turbo.dll"])
        {
            Fuzzer.Instrument(Path.Combine(folder, assembly), static _ => true, Options.Value);
        }
        return 0;
    }

    private static int Fuzz(double minutes, string work, string seeds, string[] names)
    {
        int findings = 0;
        // Materialised, so that a name that is none is told before anything runs.
        foreach (FuzzTarget target in (FuzzTarget[])[.. Chosen(names)])
        {
            FuzzFindings found = new(target, Path.Combine(work, "findings"));
            FuzzLoop loop = new(target, found);
            loop.Seed(Known(work, seeds, target));
            int seed = Random.Shared.Next();
            TimeSpan cpu = Cpu();
            loop.Run(TimeSpan.FromMinutes(minutes), seed);
            double cpuMinutes = (Cpu() - cpu).TotalMinutes;
            Save(work, target, loop.Corpus.All);
            File.AppendAllText(Path.Combine(work, "runs.tsv"), string.Create(CultureInfo.InvariantCulture,
                $"{DateTime.UtcNow:s}\t{target.Name}\t{cpuMinutes:0.0}\t{loop.Executions}\t{loop.Edges}\t{loop.Corpus.Count}\t{found.Count}\n"));
            findings += found.Count;
        }
        Console.WriteLine($"{findings} findings");
        return findings == 0 ? 0 : 1;
    }

    private static int Replay(string name, string file)
    {
        FuzzTarget target = FuzzTargets.Named(name);
        int findings = 0;
        foreach (byte[] input in Escaped.ReadFile(file))
        {
            Console.WriteLine(Escaped.Write(input));
            try
            {
                target.Run(input);
            }
            catch (Exception e)
            {
                findings++;
                Console.WriteLine($"FINDING {e}");
            }
        }
        Console.WriteLine($"{findings} findings");
        return findings == 0 ? 0 : 1;
    }

    private static int Keep(string work, string seeds, string[] names)
    {
        foreach (FuzzTarget target in Chosen(names))
        {
            FuzzLoop loop = new(target, new FuzzFindings(target, Path.Combine(work, "findings")));
            loop.Seed(Known(work, seeds, target));
            int bytes = 0;
            List<byte[]> kept = [.. loop.Corpus.Smallest.OrderBy(static i => i.Length).TakeWhile(i => (bytes += i.Length) <= MaxSeedBytes)];
            Escaped.WriteFile(Path.Combine(seeds, target.Name + ".found.txt"), kept, $"What the fuzzer found of {target.Name}, beside {target.Name}.txt. Written by scripts/fuzz keep.");
            Console.WriteLine($"{target.Name,-11} {kept.Count,5} inputs, {bytes:N0} bytes, {loop.Edges} edges");
        }
        return 0;
    }

    private static int List()
    {
        foreach (FuzzTarget target in FuzzTargets.All) Console.WriteLine(target.Name);
        return 0;
    }

    private static int Misused()
    {
        Console.Error.WriteLine("usage: Turbo.Bench fuzz instrument|run|replay|keep|list; scripts/fuzz calls it");
        return 2;
    }

    private static IEnumerable<FuzzTarget> Chosen(string[] names) => names.Length == 0 ? FuzzTargets.All : names.Select(FuzzTargets.Named);

    private static List<byte[]> Known(string work, string seeds, FuzzTarget target)
    {
        List<byte[]> known = [];
        foreach (string path in (string[])[Path.Combine(seeds, target.Name + ".txt"), Path.Combine(seeds, target.Name + ".found.txt"), Path.Combine(work, "corpus", target.Name + ".txt")])
        {
            if (File.Exists(path)) known.AddRange(Escaped.ReadFile(path));
        }
        return known;
    }

    private static void Save(string work, FuzzTarget target, IEnumerable<byte[]> inputs)
    {
        string folder = Path.Combine(work, "corpus");
        Directory.CreateDirectory(folder);
        Escaped.WriteFile(Path.Combine(folder, target.Name + ".txt"), inputs, $"All inputs of {target.Name} that reached something new.");
    }

    private static TimeSpan Cpu() => Process.GetCurrentProcess().TotalProcessorTime;
}
