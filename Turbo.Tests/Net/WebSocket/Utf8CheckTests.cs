using System.Text;
using Turbo.Net.WebSocket;

namespace Turbo.Tests.Net.WebSocket;

/// <summary>RFC 3629 as RFC 6455 §8.1 asks for it: refused at the first octet that cannot be.</summary>
internal sealed class Utf8CheckTests
{
    private static readonly UTF8Encoding s_strict = new(false, throwOnInvalidBytes: true);

    [TestCase("", TestName = "nothing")]
    [TestCase("Hello-\u00b5@\u00df\u00f6\u00e4\u00fc\u00e0\u00e1-UTF-8!!", TestName = "two octets each")]
    [TestCase("\u03ba\u1f79\u03c3\u03bc\u03b5", TestName = "Greek")]
    [TestCase("\u0000\u0001\u007f", TestName = "controls")]
    [TestCase("\u0080\u07ff\u0800\uffff", TestName = "the ends of two and three octets")]
    [TestCase("\ud7ff\ue000\ufffd\ufffe", TestName = "around the surrogates, and noncharacters")]
    [TestCase("\U00010000\U0010FFFF\U0001F600", TestName = "four octets")]
    [TestCase("a long enough run of ASCII that vectors have something to do, and then \u00e9\u20ac\U0001F600, and then more of it", TestName = "mixed")]
    public void Valid_in_any_two_cuts(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        for (int a = 0; a <= bytes.Length; a++)
        {
            for (int b = a; b <= bytes.Length; b++)
            {
                Utf8Check check = default;
                bool isValid = check.Append(bytes.AsSpan(0, a)) && check.Append(bytes.AsSpan(a, b - a)) && check.Append(bytes.AsSpan(b));
                Assert.That(isValid && check.IsComplete, $"cut at {a} and {b}");
            }
        }
    }

    // The octets, and how many may be taken before the refusal: the last of these is the one that cannot be.
    [TestCase("80", 1, TestName = "a continuation alone")]
    [TestCase("BF", 1, TestName = "the last continuation alone")]
    [TestCase("C0 80", 1, TestName = "overlong in two octets, C0")]
    [TestCase("C1 BF", 1, TestName = "overlong in two octets, C1")]
    [TestCase("E0 80 80", 2, TestName = "overlong in three octets")]
    [TestCase("E0 9F BF", 2, TestName = "the highest overlong in three octets")]
    [TestCase("F0 80 80 80", 2, TestName = "overlong in four octets")]
    [TestCase("F0 8F BF BF", 2, TestName = "the highest overlong in four octets")]
    [TestCase("ED A0 80", 2, TestName = "the lowest surrogate")]
    [TestCase("ED BF BF", 2, TestName = "the highest surrogate")]
    [TestCase("ED A0 BD ED B8 80", 2, TestName = "a pair of surrogates")]
    [TestCase("F4 90 80 80", 2, TestName = "above U+10FFFF")]
    [TestCase("F5 80 80 80", 1, TestName = "lead F5")]
    [TestCase("F8 88 80 80 80", 1, TestName = "five octets")]
    [TestCase("FC 84 80 80 80 80", 1, TestName = "six octets")]
    [TestCase("FE", 1, TestName = "FE")]
    [TestCase("FF", 1, TestName = "FF")]
    [TestCase("C3 28", 2, TestName = "two octets, the second ASCII")]
    [TestCase("E2 28 A1", 2, TestName = "three octets, the second ASCII")]
    [TestCase("E2 82 28", 3, TestName = "three octets, the third ASCII")]
    [TestCase("F0 90 28 BC", 3, TestName = "four octets, the third ASCII")]
    [TestCase("F0 90 8C 28", 4, TestName = "four octets, the fourth ASCII")]
    [TestCase("C3 C3 A9", 2, TestName = "a lead in place of a continuation")]
    [TestCase("CE BA E1 BD B9 CF 83 CE BC CE B5 F4 90 80 80", 13, TestName = "valid text, then above U+10FFFF")]
    public void Refused_at_the_first_bad_octet(string octets, int at)
    {
        byte[] bytes = Convert.FromHexString(octets.Replace(" ", ""));
        foreach (int prefix in new[] { 0, 1, 63, 64, 100 })
        {
            byte[] all = [.. Encoding.ASCII.GetBytes(new string('a', prefix)), .. bytes];
            Utf8Check one = default;
            for (int i = 0; i < all.Length; i++)
            {
                if (i < prefix + at - 1) Assert.That(one.Append(all.AsSpan(i, 1)), $"octet {i} refused too early");
                else
                {
                    Assert.That(one.Append(all.AsSpan(i, 1)), Is.False, $"octet {i} not refused");
                    break;
                }
            }
            for (int cut = 0; cut <= all.Length; cut++)
            {
                Utf8Check two = default;
                Assert.That(two.Append(all.AsSpan(0, cut)) && two.Append(all.AsSpan(cut)), Is.False, $"cut at {cut}");
            }
        }
    }

    [TestCase("C3")]
    [TestCase("E2 82")]
    [TestCase("F0 9F 98")]
    public void Unfinished_is_not_complete(string octets)
    {
        Utf8Check check = default;
        Assert.That(check.Append(Convert.FromHexString(octets.Replace(" ", ""))));
        Assert.That(check.IsComplete, Is.False);
        check.Reset();
        Assert.That(check.IsComplete);
    }

    [Test]
    public void Random_octets_in_random_cuts_agree_with_a_strict_decoder()
    {
        Random random = new(7);
        // Octets that make sequences, whole and broken.
        byte[] alphabet = [0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC2, 0xDF, 0xE0, 0xE1, 0xED, 0xEF, 0xF0, 0xF1, 0xF4];
        int valid = 0;
        for (int run = 0; run < 200_000; run++)
        {
            byte[] bytes = new byte[random.Next(1, 7)];
            for (int i = 0; i < bytes.Length; i++) bytes[i] = alphabet[random.Next(alphabet.Length)];
            Utf8Check check = default;
            bool isValid = true;
            for (int at = 0; at < bytes.Length && isValid;)
            {
                int take = random.Next(1, bytes.Length - at + 1);
                isValid = check.Append(bytes.AsSpan(at, take));
                at += take;
            }
            bool expected = IsValid(bytes);
            if (expected) valid++;
            if ((isValid && check.IsComplete) != expected) Assert.Fail(Convert.ToHexString(bytes));
        }
        Assert.That(valid, Is.GreaterThan(1000));
    }

    private static bool IsValid(byte[] bytes)
    {
        try
        {
            s_strict.GetCharCount(bytes);
            return true;
        }
        catch (DecoderFallbackException)
        {
            return false;
        }
    }
}
