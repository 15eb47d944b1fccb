namespace Turbo.Server.Mock;

/// <summary>The mock's tokens: words, each with the white space before it.</summary>
internal static class Words
{
    public static int Count(ReadOnlySpan<char> text)
    {
        int count = 0;
        for (int end = 0; NextEnd(text, end) is var next && next > end; end = next) count++;
        return count;
    }

    /// <summary>The pieces of the text: joined they are the text less the white space at its end.</summary>
    public static IEnumerable<ReadOnlyMemory<char>> Of(string text)
    {
        for (int start = 0; NextEnd(text, start) is var end && end > start; start = end) yield return text.AsMemory(start, end - start);
    }

    // Where the word that begins at or after `start` ends; `start` when none does.
    private static int NextEnd(ReadOnlySpan<char> text, int start)
    {
        int word = start;
        while (word < text.Length && char.IsWhiteSpace(text[word])) word++;
        if (word == text.Length) return start;
        int end = word;
        while (end < text.Length && !char.IsWhiteSpace(text[end])) end++;
        return end;
    }
}
