using System.Text;
using Turbo.Server.Auth;

namespace Turbo.Tests.Server.Auth;

[TestFixture]
internal sealed class SessionTokensTests
{
    [Test]
    public void A_token_is_256_random_bits_in_base64()
    {
        var seen = new HashSet<string>();
        for (int i = 0; i < 100; i++)
        {
            string token = SessionTokens.Create();
            Assert.That(Convert.FromBase64String(token), Has.Length.EqualTo(32));
            Assert.That(seen.Add(token));
            Assert.That(SessionTokens.MayExist(Encoding.ASCII.GetBytes(token)));
        }
    }

    [Test]
    public void The_column_holds_its_digest() => Assert.That(
        SessionTokens.Stored("abc"),
        Is.EqualTo("sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));

    [TestCase("", false)]
    [TestCase("a", true)]
    [TestCase("sha256:ba7816bf", false)]
    [TestCase("sha256", true)]
    [TestCase("has space", false)]
    [TestCase("tab\t", false)]
    [TestCase("ünicode", false)]
    [TestCase("~!", true)]
    public void Only_what_may_have_been_issued_is_looked_up(string token, bool expected) =>
        Assert.That(SessionTokens.MayExist(Encoding.UTF8.GetBytes(token)), Is.EqualTo(expected));

    [TestCase(SessionTokens.MaxBytes, true)]
    [TestCase(SessionTokens.MaxBytes + 1, false)]
    public void A_token_has_a_longest_length(int length, bool expected) =>
        Assert.That(SessionTokens.MayExist(Encoding.ASCII.GetBytes(new string('x', length))), Is.EqualTo(expected));
}
