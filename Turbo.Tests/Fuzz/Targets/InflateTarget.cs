using Turbo.Net.WebSocket;
using Turbo.Tests.Fuzz.Reference;

namespace Turbo.Tests.Fuzz.Targets;

/// <summary>
/// Compressed messages: what comes out against a reference, alike in any cuts, within the limit; and what the compressor
/// makes of the same bytes comes out as they are. The first byte chooses the window, the second where the first message ends.
/// </summary>
internal sealed class InflateTarget : FuzzTarget
{
    private const int MaxMessageBytes = 4096;

    private readonly Transcript _whole = new(), _cut = new(), _reference = new();

    public override string Name => "inflate";

    public override IReadOnlyList<string> Tokens { get; } =
    [
        "\\x00\\x00\\xff\\xff", "\\x00\\x00\\x00\\xff\\xff", "\\x01\\x00\\x00\\xff\\xff", "\\x00\\x05\\x00\\xfa\\xffHello", "\\x01\\x05\\x00\\xfa\\xffHello", "\\xf2H\\xcd\\xc9\\xc9\\x07\\x00", "\\xf3H\\xcd\\xc9\\xc9\\x07\\x00", "\\x03\\x00", "\\x02\\x00",
        "\\xaa\\xaa", "\\x55", "\\xff\\xff", "\\x00", "\\x05\\xc0", "\\x04", "\\x07", "\\x06",
    ];

    public override void Run(byte[] input)
    {
        if (input.Length < 2) return;
        int bits = 8 + (input[0] & 7);
        bool isTakenOver = (input[0] & 8) == 0;
        byte[] data = input[2..];
        int first = Math.Min(input[1], data.Length);
        DeflateParameters parameters = new(!isTakenOver, !isTakenOver, bits, bits, true);

        Inflate(parameters, data, first, [data.Length], _whole.Clear());
        foreach (int[] cuts in Cuts.Of(data))
        {
            Inflate(parameters, data, first, cuts, _cut.Clear());
            FuzzFinding.UnlessSame(_whole, _cut, "cut otherwise, a compressed message is another");
        }
        Reference(data, first, 1 << Math.Max(bits, 9), isTakenOver, _reference.Clear());
        FuzzFinding.UnlessSame(_reference, _whole, "the reference decompresses to another message");
        RoundTrip(parameters, data, first);
    }

    private static void Inflate(DeflateParameters parameters, byte[] data, int first, int[] cuts, Transcript to)
    {
        DeflateInflater inflater = new(parameters);
        int at = 0;
        foreach (int end in (int[])[first, data.Length])
        {
            do
            {
                int cut = cuts.FirstOrDefault(c => c > at && c < end, end);
                InflateResult result = inflater.Append(data.AsSpan(at, cut - at), cut == end, MaxMessageBytes);
                at = cut;
                if (result == InflateResult.Done) continue;
                to.Line(result.ToString());
                inflater.Close();
                return;
            }
            while (at < end);
            FuzzFinding.Unless(inflater.Taken.Length <= MaxMessageBytes, "over the limit");
            to.Line("message", inflater.Taken.Span);
            inflater.Release();
        }
        inflater.Close();
    }

    private static void Reference(byte[] data, int first, int windowSize, bool isTakenOver, Transcript to)
    {
        List<byte> window = [];
        foreach (byte[] message in (byte[][])[data[..first], data[first..]])
        {
            if (!isTakenOver) window.Clear();
            ReferenceInflate inflate = new(message, window, windowSize, MaxMessageBytes);
            InflateVerdict verdict = inflate.Run();
            if (verdict != InflateVerdict.Fine || !inflate.MayEnd)
            {
                to.Line(verdict == InflateVerdict.TooLarge ? nameof(InflateResult.TooLarge) : nameof(InflateResult.Invalid));
                return;
            }
            to.Line("message", [.. inflate.Message]);
        }
    }

    private static void RoundTrip(DeflateParameters parameters, byte[] data, int first)
    {
        // The compressor is an adapter to .NET's: one run in sixteen is enough of it.
        if (data.Length == 0 || (data[^1] & 15) != 0) return;
        using DeflateCompressor compressor = new(parameters, new WebSocketCompression());
        DeflateInflater inflater = new(parameters);
        foreach (byte[] message in (byte[][])[data[..first], data[first..], data])
        {
            InflateResult result = inflater.Append(compressor.Compress(message).Span, true, MaxMessageBytes);
            FuzzFinding.Unless(result == InflateResult.Done && inflater.Taken.Span.SequenceEqual(message), "compressed and decompressed, a message is another");
            compressor.Release();
            inflater.Release();
        }
        inflater.Close();
    }
}
