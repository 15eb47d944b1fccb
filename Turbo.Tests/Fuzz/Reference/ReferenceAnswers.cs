namespace Turbo.Tests.Fuzz.Reference;

/// <summary>One response as a client without any tolerance reads it.</summary>
/// <param name="Head">Its head.</param>
/// <param name="Framing">As <see cref="ReferenceHead.TryFrame"/> tells it.</param>
/// <param name="Content">The content, as far as it came.</param>
/// <param name="Trailers">The trailer section.</param>
/// <param name="IsWhole">Whether it ended where its framing says; never where the connection's end would be the framing.</param>
internal sealed record ReferenceAnswer(ReferenceHead Head, string Framing, string Content, IReadOnlyList<ReferenceField> Trailers, bool IsWhole);

internal static class ReferenceAnswers
{
    /// <summary>
    /// Reads the response at <paramref name="at"/>, which moves behind it. Null where there is none yet; a finding where
    /// what came is none.
    /// </summary>
    public static ReferenceAnswer? Read(string text, bool answersHead, ref int at, string who)
    {
        if (at == text.Length) return null;
        ReferenceHead head = ReferenceHead.OfResponse(text[at..], int.MaxValue, int.MaxValue);
        FuzzFinding.Unless(head.Verdict != Verdict.Refused && (head.Verdict == Verdict.More || head.TryFrame(isRequest: false, answersHead, out _)), $"{who} what is no response");
        if (head.Verdict == Verdict.More) return null;
        head.TryFrame(isRequest: false, answersHead, out string framing);
        int start = at + head.Length;
        switch (framing)
        {
            case "none":
                at = start;
                return new ReferenceAnswer(head, framing, "", [], true);
            case "chunked":
                ReferenceChunks chunks = ReferenceChunks.Read(text, start, int.MaxValue / 2, int.MaxValue, int.MaxValue);
                FuzzFinding.Unless(chunks.Verdict != Verdict.Refused, $"{who} chunks that are none");
                bool isWhole = chunks.Verdict == Verdict.Accepted;
                at = isWhole ? chunks.End : text.Length;
                return new ReferenceAnswer(head, framing, chunks.Content, chunks.Trailers, isWhole);
            case "close":
                at = text.Length;
                return new ReferenceAnswer(head, framing, text[start..], [], false);
            default:
                long length = long.Parse(framing["length ".Length..], System.Globalization.CultureInfo.InvariantCulture);
                at = (int)Math.Min(start + length, text.Length);
                return new ReferenceAnswer(head, framing, text[start..at], [], at - start == length);
        }
    }
}
