namespace Turbo.Tests.Fuzz;

/// <summary>
/// What must hold of a reader for any bytes. Shared by the fuzzer (Turbo.Bench), which looks for bytes for which it does
/// not, and the tests, which replay the corpus and each past finding.
/// </summary>
internal abstract class FuzzTarget
{
    /// <summary>What scripts/fuzz and the corpus file call it.</summary>
    public abstract string Name { get; }

    /// <summary>Longer inputs are not tried: they take longer and reach nothing new.</summary>
    public virtual int MaxBytes => 512;

    /// <summary>Pieces that mutations put in, as <see cref="Escaped"/> writes them.</summary>
    public abstract IReadOnlyList<string> Tokens { get; }

    /// <summary>Throws <see cref="FuzzFinding"/>, or whatever the reader throws, where the property does not hold.</summary>
    public abstract void Run(byte[] input);
}

/// <summary>The property of a target does not hold for an input.</summary>
internal sealed class FuzzFinding(string message) : Exception(message)
{
    public static void Unless(bool holds, string what)
    {
        if (!holds) throw new FuzzFinding(what);
    }

    public static void UnlessSame(Transcript expected, Transcript actual, string what)
    {
        if (!expected.Bytes.SequenceEqual(actual.Bytes)) throw new FuzzFinding($"{what}\nexpected:\n{expected}\nwas:\n{actual}");
    }
}
