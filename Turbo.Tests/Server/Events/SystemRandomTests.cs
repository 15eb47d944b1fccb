using Turbo.Server.Events;

namespace Turbo.Tests.Server.Events;

[TestFixture]
internal sealed class SystemRandomTests
{
    [TestCase(0)]
    [TestCase(8)]
    [TestCase(256)]
    [TestCase(4096)]
    // More than the kernel gives where a signal comes in between.
    [TestCase(1 << 20)]
    public void Every_byte_is_filled(int length)
    {
        // A byte that is never written stays zero; a random one does so 64 times in a row once in 2^512.
        bool[] written = new bool[length];
        for (int round = 0; round < 64 && !Array.TrueForAll(written, static isWritten => isWritten); round++)
        {
            byte[] bytes = new byte[length];
            SystemRandom.Fill(bytes);
            for (int i = 0; i < length; i++) written[i] |= bytes[i] != 0;
        }
        Assert.That(written, Has.None.False);
    }

    [Test]
    public void No_two_are_the_same()
    {
        HashSet<string> seen = [];
        for (int i = 0; i < 1000; i++)
        {
            byte[] bytes = new byte[16];
            SystemRandom.Fill(bytes);
            Assert.That(seen.Add(Convert.ToHexString(bytes)));
        }
    }
}
