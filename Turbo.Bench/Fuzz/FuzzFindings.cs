using System.Security.Cryptography;
using System.Text.RegularExpressions;
using Turbo.Tests.Fuzz;

namespace Turbo.Bench.Fuzz;

/// <summary>Writes each finding once to a file of its own, with what was found and the command that replays it.</summary>
internal sealed partial class FuzzFindings(FuzzTarget target, string folder)
{
    // Beyond, they are the same few over again.
    private const int MaxKept = 40;

    private readonly HashSet<string> _known = [];

    public int Count => _known.Count;

    public bool IsNew(Exception finding) => _known.Count < MaxKept && _known.Add(Signature(finding));

    /// <summary>What makes two findings one: what is told of them, without numbers and the input's own bytes.</summary>
    public static string Signature(Exception finding)
    {
        string first = finding.Message.Split('\n')[0];
        string where = finding is FuzzFinding ? "" : finding.StackTrace?.Split('\n').FirstOrDefault(static l => l.Contains("Turbo.", StringComparison.Ordinal)) ?? "";
        return $"{finding.GetType().Name} {Digits().Replace(first, "#")} {where}";
    }

    public void Keep(byte[] input, Exception finding)
    {
        Directory.CreateDirectory(folder);
        string name = $"{target.Name}-{Convert.ToHexStringLower(SHA256.HashData(input))[..8]}.txt";
        string path = Path.Combine(folder, name);
        Escaped.WriteFile(path, [input], finding.ToString().ReplaceLineEndings("\n# "));
        Console.WriteLine($"FINDING {finding.Message}\n  bytes: {Escaped.Write(input)}\n  replay: scripts/fuzz replay {target.Name} {path}");
    }

    [GeneratedRegex("[0-9]+")]
    private static partial Regex Digits();
}
