using System.Globalization;
using Turbo.Net;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net.Upstream;

/// <summary>Bodies of any length, sent and checked byte for byte without one being held whole.</summary>
internal static class LargeContent
{
    // No multiple of a page or a block: what is lost, doubled or swapped shows.
    private static readonly byte[] s_content = MakeContent(1_000_003);

    public delegate void SendPiece(ReadOnlySpan<byte> piece);

    /// <summary>What all contents begin with, again and again.</summary>
    public static byte[] Repeated => s_content;

    /// <summary>Whether the transport under test splices.</summary>
    public static bool Splices => TransportKinds.Auto != TransportKind.Sockets && OperatingSystem.IsLinux();

    public static void SendContent(long length, SendPiece send, int[]? pieces = null, SemaphoreSlim? each = null, long from = 0)
    {
        long sent = 0;
        foreach (long end in Ends(length, pieces))
        {
            each?.Wait(Until.Deadline);
            while (sent < end)
            {
                int at = (int)((from + sent) % s_content.Length);
                int piece = (int)Math.Min(end - sent, s_content.Length - at);
                send(s_content.AsSpan(at, piece));
                sent += piece;
            }
        }
    }

    /// <summary>A response with one chunk that is worth splicing between two that are not.</summary>
    public static void SendChunks(UpstreamPeer peer, long length)
    {
        peer.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        long sent = 0;
        foreach (long size in new[] { 7, length - 20, 13 })
        {
            peer.Send($"{size:x}\r\n");
            for (long left = size; left > 0;)
            {
                int at = (int)(sent % s_content.Length);
                int piece = (int)Math.Min(left, s_content.Length - at);
                peer.Send(s_content.AsSpan(at, piece));
                sent += piece;
                left -= piece;
            }
            peer.Send("\r\n");
        }
        peer.Send("0\r\n\r\n");
    }

    public static void ReadContent(RawClient client, long length)
    {
        long got = 0;
        client.ReadContent(client.ReadHead(), piece => got += Check(piece, got));
        Assert.That(got, Is.EqualTo(length));
    }

    public static int Check(ReadOnlySpan<byte> piece, long from)
    {
        for (int done = 0; done < piece.Length;)
        {
            int at = (int)((from + done) % s_content.Length);
            int length = Math.Min(piece.Length - done, s_content.Length - at);
            if (!piece.Slice(done, length).SequenceEqual(s_content.AsSpan(at, length))) Assert.Fail($"the content differs after {from + done} bytes");
            done += length;
        }
        return piece.Length;
    }

    public static int FirstDifference(byte[] got)
    {
        for (int i = 0; i < got.Length; i++)
        {
            if (got[i] != s_content[i % s_content.Length]) return i;
        }
        return -1;
    }

    public static long? Length(string head)
    {
        string? line = head.Split("\r\n").FirstOrDefault(static l => l.StartsWith("Content-Length:", StringComparison.OrdinalIgnoreCase));
        return line is null ? null : long.Parse(line.AsSpan(15).Trim(), CultureInfo.InvariantCulture);
    }

    /// <summary>True once the number has not moved for a while.</summary>
    public static Func<bool> Stands(Func<long> read)
    {
        long last = -1;
        int unchanged = 0;
        return () =>
        {
            long now = read();
            unchanged = now == last ? unchanged + 1 : 0;
            last = now;
            return now > 0 && unchanged == 100;
        };
    }

    private static byte[] MakeContent(int length)
    {
        byte[] content = new byte[length];
        new Random(5).NextBytes(content);
        return content;
    }

    private static IEnumerable<long> Ends(long length, int[]? pieces)
    {
        long end = 0;
        foreach (int piece in pieces ?? []) yield return end += piece;
        if (end < length) yield return length;
    }
}
