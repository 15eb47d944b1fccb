using System.Globalization;
using Turbo.Tests.Soak;

namespace Turbo.Bench.Soak;

/// <summary>What scripts/soak runs: <c>soak MINUTES [SEED]</c>. Exit code 1 when it does not balance.</summary>
internal static class SoakCommand
{
    private const int Visitors = 32;

    public static async Task<int> RunAsync(string[] args)
    {
        double minutes = args.Length > 0 ? double.Parse(args[0], CultureInfo.InvariantCulture) : 10;
        int seed = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : Random.Shared.Next();
        Console.WriteLine($"{minutes} minutes, {Visitors} clients at once, seed {seed}");
        BalanceSheet sheet = await new SoakRun(TimeSpan.FromMinutes(minutes), Visitors, seed, Console.WriteLine).RunAsync();
        Console.WriteLine();
        Console.WriteLine(sheet);
        List<string> faulty = sheet.Faulty(countsMemory: true);
        foreach (string wrong in sheet.Tally.Wrongs) Console.WriteLine("WRONG " + wrong);
        foreach (string line in sheet.Complaints.Take(20)) Console.WriteLine("LOG " + line);
        foreach (string what in faulty) Console.WriteLine("DOES NOT BALANCE: " + what);
        if (faulty.Count == 0) Console.WriteLine("It balances.");
        return faulty.Count == 0 ? 0 : 1;
    }
}
