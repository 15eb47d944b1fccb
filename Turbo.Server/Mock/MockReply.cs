using System.Text;

namespace Turbo.Server.Mock;

/// <summary>
/// The text that answers a prompt: "Reply to N message(s): " and what the user said last, so that who reads it knows
/// what was sent. Cut to the tokens asked for; made longer with filler where X-Mock-Words asks for more.
/// </summary>
internal sealed class MockReply
{
    private static readonly string[] s_filler = [" lorem", " ipsum", " dolor", " sit", " amet,", " consectetur", " adipiscing", " elit."];

    private readonly string _text;

    public MockReply(PromptRequest request, Pacing pacing)
    {
        _text = $"Reply to {request.MessageCount} message{(request.MessageCount == 1 ? "" : "s")}: {request.LastText}";
        int words = pacing.Words ?? Mock.Words.Count(_text);
        Tokens = Math.Min(words, request.MaxTokens ?? int.MaxValue);
        IsCut = Tokens < words;
    }

    /// <summary>Words of the reply.</summary>
    public int Tokens { get; }

    /// <summary>Whether the request allowed fewer words than the reply has.</summary>
    public bool IsCut { get; }

    /// <summary>Why the reply ends, as completions say.</summary>
    public string FinishReason => IsCut ? "length" : "stop";

    /// <summary>The words, each with the white space before it.</summary>
    public IEnumerable<ReadOnlyMemory<char>> Words()
    {
        int count = 0;
        foreach (ReadOnlyMemory<char> word in Mock.Words.Of(_text))
        {
            if (count++ == Tokens) yield break;
            yield return word;
        }
        for (int i = 0; count + i < Tokens; i++) yield return s_filler[i % s_filler.Length].AsMemory();
    }

    /// <summary>The words joined.</summary>
    public string Text()
    {
        StringBuilder text = new();
        foreach (ReadOnlyMemory<char> word in Words()) text.Append(word.Span);
        return text.ToString();
    }
}
