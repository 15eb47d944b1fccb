using System.Text;

namespace Turbo.Server.Model;

/// <summary>A row of <c>prompts</c>: a text that is kept to prompt with, for its owner or for a group's members too.</summary>
internal sealed record SavedPrompt
{
    /// <summary>Where in the text what is asked with it goes.</summary>
    public const string Placeholder = "{{input}}";

    public required string Id { get; init; }
    public DateTime CreatedAt { get; init; }
    public DateTime UpdatedAt { get; init; }
    public DateTime? DeletedAt { get; init; }
    public string Name { get; init; } = "";
    public string Text { get; init; } = "";

    /// <summary>The owner.</summary>
    public string UserId { get; init; } = "";

    /// <summary>The group whose members may use it while the owner is one of them; empty: the owner's alone.</summary>
    public string GroupId { get; init; } = "";

    /// <summary>Whether the text asks for an input.</summary>
    public bool NeedsInput => Text.Contains(Placeholder, StringComparison.Ordinal);

    /// <summary>
    /// The prompt with an input: in the place of every placeholder or, where there is none, after the text and an empty line.
    /// What the input itself holds is left as it is. Null where that is longer than <paramref name="maxBytes"/> in UTF-8.
    /// </summary>
    public string? With(string input, long maxBytes)
    {
        if (input.Length == 0) return Text;
        int places = Text.AsSpan().Count(Placeholder);
        long bytes = Encoding.UTF8.GetByteCount(Text) + (places == 0 ? 2 : -(long)places * Placeholder.Length);
        // Before it is made: a short text may name its input a thousand times.
        bytes += Math.Max(1, places) * (long)Encoding.UTF8.GetByteCount(input);
        if (bytes > maxBytes) return null;
        return places == 0 ? $"{Text}\n\n{input}" : Text.Replace(Placeholder, input, StringComparison.Ordinal);
    }

    public override string ToString() => $"SavedPrompt {Id}";
}
