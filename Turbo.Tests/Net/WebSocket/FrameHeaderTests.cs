using Turbo.Net.Http1;
using Turbo.Net.WebSocket;

namespace Turbo.Tests.Net.WebSocket;

/// <summary>RFC 6455 §5.2: each octet is judged when it is there, the same way however the header was cut.</summary>
internal sealed class FrameHeaderTests
{
    [TestCase("81 85 37 FA 21 3D", 1, true, 5L, TestName = "Hello, masked (RFC 6455 §5.7)")]
    [TestCase("01 83 00 00 00 00", 1, false, 3L, TestName = "an unfinished text")]
    [TestCase("82 80 01 02 03 04", 2, true, 0L, TestName = "empty")]
    [TestCase("82 FD 01 02 03 04", 2, true, 125L, TestName = "125 in 7 bits")]
    [TestCase("82 FE 00 7E 01 02 03 04", 2, true, 126L, TestName = "126 in 16 bits")]
    [TestCase("82 FE FF FF 01 02 03 04", 2, true, 65535L, TestName = "65535 in 16 bits")]
    [TestCase("82 FF 00 00 00 00 00 01 00 00 01 02 03 04", 2, true, 65536L, TestName = "65536 in 64 bits")]
    [TestCase("82 FF 7F FF FF FF FF FF FF FF 01 02 03 04", 2, true, long.MaxValue, TestName = "the largest length")]
    [TestCase("88 80 01 02 03 04", 8, true, 0L, TestName = "close")]
    [TestCase("89 FD 01 02 03 04", 9, true, 125L, TestName = "the largest ping")]
    [TestCase("8A 80 01 02 03 04", 10, true, 0L, TestName = "pong")]
    public void Complete(string octets, int opcode, bool isFinal, long length)
    {
        byte[] wire = Convert.FromHexString(octets.Replace(" ", ""));
        for (int have = 0; have < wire.Length; have++)
            Assert.That(FrameHeader.Read(wire.AsSpan(0, have), FrameRules.Masked, out _, out _), Is.EqualTo(ParseStatus.NeedMore), $"{have} octets");
        Assert.That(FrameHeader.Read([.. wire, 0xAA, 0xBB], FrameRules.Masked, out FrameHeader header, out int consumed), Is.EqualTo(ParseStatus.Complete));
        Assert.That(consumed, Is.EqualTo(wire.Length));
        Assert.That(((int)header.Opcode, header.IsFinal, header.PayloadLength, header.IsMasked), Is.EqualTo((opcode, isFinal, length, true)));
        byte[] written = new byte[FrameHeader.MaxBytes];
        Assert.That(written[..header.Write(written)], Is.EqualTo(wire), "read and written again");
    }

    [TestCase("91", TestName = "RSV3")]
    [TestCase("A1", TestName = "RSV2")]
    [TestCase("C1", TestName = "RSV1 without an extension")]
    [TestCase("83", TestName = "opcode 3")]
    [TestCase("84", TestName = "opcode 4")]
    [TestCase("85", TestName = "opcode 5")]
    [TestCase("86", TestName = "opcode 6")]
    [TestCase("87", TestName = "opcode 7")]
    [TestCase("8B", TestName = "opcode 11")]
    [TestCase("8C", TestName = "opcode 12")]
    [TestCase("8D", TestName = "opcode 13")]
    [TestCase("8E", TestName = "opcode 14")]
    [TestCase("8F", TestName = "opcode 15")]
    [TestCase("08", TestName = "a fragmented close")]
    [TestCase("09", TestName = "a fragmented ping")]
    [TestCase("0A", TestName = "a fragmented pong")]
    [TestCase("80", TestName = "a continuation of nothing")]
    [TestCase("81 05", TestName = "no mask")]
    [TestCase("88 00", TestName = "no mask on a close")]
    [TestCase("81 7E", TestName = "no mask, the length not there yet")]
    [TestCase("89 FE", TestName = "a ping over 125 octets")]
    [TestCase("88 FF", TestName = "a close over 125 octets")]
    [TestCase("82 FE 00 7D", TestName = "125 in 16 bits")]
    [TestCase("82 FE 00 00", TestName = "0 in 16 bits")]
    [TestCase("82 FF 00 00 00 00 00 00 FF FF", TestName = "65535 in 64 bits")]
    [TestCase("82 FF 00 00 00 00 00 00 00 00", TestName = "0 in 64 bits")]
    [TestCase("82 FF 80", TestName = "a length with its highest bit set")]
    public void Rejected_at_the_last_of_these_octets(string octets)
    {
        byte[] wire = Convert.FromHexString(octets.Replace(" ", ""));
        for (int have = 0; have < wire.Length; have++)
            Assert.That(FrameHeader.Read(wire.AsSpan(0, have), FrameRules.Masked, out _, out _), Is.EqualTo(ParseStatus.NeedMore), $"{have} octets");
        Assert.That(FrameHeader.Read(wire, FrameRules.Masked, out _, out _), Is.EqualTo(ParseStatus.Rejected));
        byte[] more = [.. wire, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        Assert.That(FrameHeader.Read(more, FrameRules.Masked, out _, out _), Is.EqualTo(ParseStatus.Rejected), "with more octets");
    }

    // FIN with opcode 0–15, RSV1, and whether it is allowed: plainly, with compression, within a message, in both.
    [TestCase(0x81, "yes yes no no")]
    [TestCase(0x82, "yes yes no no")]
    [TestCase(0x01, "yes yes no no")]
    [TestCase(0x80, "no no yes yes")]
    [TestCase(0x00, "no no yes yes")]
    [TestCase(0xC1, "no yes no no")]
    [TestCase(0xC2, "no yes no no")]
    [TestCase(0x41, "no yes no no")]
    [TestCase(0xC0, "no no no no")]
    [TestCase(0x40, "no no no no")]
    [TestCase(0xC8, "no no no no")]
    [TestCase(0xC9, "no no no no")]
    [TestCase(0xCA, "no no no no")]
    [TestCase(0x89, "yes yes yes yes")]
    [TestCase(0x8A, "yes yes yes yes")]
    [TestCase(0x88, "yes yes yes yes")]
    public void First_octet_by_rules(int first, string allowed)
    {
        FrameRules[] rules = [FrameRules.None, FrameRules.Rsv1, FrameRules.InMessage, FrameRules.Rsv1 | FrameRules.InMessage];
        string got = string.Join(' ', rules.Select(r => FrameHeader.Read([(byte)first, 0], r, out _, out _) == ParseStatus.Complete ? "yes" : "no"));
        Assert.That(got, Is.EqualTo(allowed));
    }

    [Test]
    public void A_server_may_not_mask() =>
        Assert.That(FrameHeader.Read([0x81, 0x80], FrameRules.None, out _, out _), Is.EqualTo(ParseStatus.Rejected));

    [Test]
    public void Every_pair_of_octets_is_settled_or_waits_for_more()
    {
        byte[] wire = new byte[FrameHeader.MaxBytes];
        for (int first = 0; first < 256; first++)
        {
            for (int second = 0; second < 256; second++)
            {
                (wire[0], wire[1]) = ((byte)first, (byte)second);
                wire.AsSpan(2).Fill(0x01);
                ParseStatus whole = FrameHeader.Read(wire, FrameRules.Masked, out FrameHeader header, out int consumed);
                Assert.That(whole, Is.Not.EqualTo(ParseStatus.NeedMore));
                for (int have = 0; have < FrameHeader.MaxBytes; have++)
                {
                    ParseStatus cut = FrameHeader.Read(wire.AsSpan(0, have), FrameRules.Masked, out _, out _);
                    if (cut != ParseStatus.NeedMore) Assert.That(cut, Is.EqualTo(whole));
                    if (whole == ParseStatus.Complete) Assert.That(cut, Is.EqualTo(have < consumed ? ParseStatus.NeedMore : whole));
                }
                if (whole != ParseStatus.Complete) continue;
                byte[] written = new byte[FrameHeader.MaxBytes];
                Assert.That(written[..header.Write(written)], Is.EqualTo(wire[..consumed]));
            }
        }
    }
}
