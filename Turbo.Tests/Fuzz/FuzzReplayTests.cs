using Turbo.Tests.Support;

namespace Turbo.Tests.Fuzz;

/// <summary>The fuzzer's corpus once more, and a seeded random run from it: what scripts/fuzz does for minutes, for a second.</summary>
[TestFixture]
internal sealed class FuzzReplayTests
{
    // Executions of each random run; coverage does not guide them.
    private const int Mutations = 1500;

    private static IEnumerable<string> Targets => FuzzTargets.All.Select(static t => t.Name);

    // Written by hand, and what the fuzzer found beside.
    private static List<byte[]> Corpus(string target)
    {
        string folder = Path.Combine(TestContext.CurrentContext.TestDirectory, "Fuzz", "Corpus");
        return [.. Escaped.ReadFile(Path.Combine(folder, target + ".txt")), .. Escaped.ReadFile(Path.Combine(folder, target + ".found.txt"))];
    }

    [TestCaseSource(nameof(Targets))]
    public void The_corpus(string name)
    {
        FuzzTarget target = FuzzTargets.Named(name);
        foreach (byte[] input in Corpus(name)) Run(target, input);
    }

    [TestCaseSource(nameof(Targets))]
    public void Seeded_mutations(string name)
    {
        FuzzTarget target = FuzzTargets.Named(name);
        List<byte[]> corpus = Corpus(name);
        Mutator mutator = new(target, seed: 1);
        for (int i = 0; i < Mutations; i++)
            Run(target, mutator.Mutate(corpus[mutator.Random.Next(corpus.Count)], corpus[mutator.Random.Next(corpus.Count)]));
    }

    [Test]
    public void Any_bytes_survive_a_corpus_file()
    {
        byte[][] inputs = [[], [.. Enumerable.Range(0, 256).Select(static i => (byte)i)], [.. "# no comment"u8], [.. "\\x41\\"u8]];
        string path = Path.GetTempFileName();
        Escaped.WriteFile(path, inputs, "a comment");
        List<byte[]> read = Escaped.ReadFile(path);
        File.Delete(path);
        Assert.That(read, Is.EqualTo(inputs));
    }

    private static void Run(FuzzTarget target, byte[] input)
    {
        try
        {
            Inline.Run(() => target.Run(input));
        }
        catch (Exception e)
        {
            Assert.Fail($"{target.Name}: {Escaped.Write(input)}\n{e}");
        }
    }
}
