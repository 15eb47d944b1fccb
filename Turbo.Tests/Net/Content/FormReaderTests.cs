using System.Text;
using Turbo.Net.Content;

namespace Turbo.Tests.Net.Content;

[TestFixture]
internal sealed class FormReaderTests
{
    [TestCase("", "")]
    [TestCase("a=1", "a:1")]
    [TestCase("a=1&b=2", "a:1|b:2")]
    [TestCase("a", "a:")]
    [TestCase("a=", "a:")]
    [TestCase("=a", ":a")]
    [TestCase("=", ":")]
    [TestCase("a=b=c", "a:b=c")]                   // the first equals sign parts name from value
    [TestCase("a=1&&&b=2&", "a:1|b:2")]            // empty pairs are none
    [TestCase("a=1&a=2", "a:1|a:2")]
    [TestCase("a+b=c+d", "a b:c d")]
    [TestCase("a%3d=%26%3D%2b", "a=:&=+")]         // delimiters parted the pairs before they were decoded
    [TestCase("n=%C3%BCn%c3%afc%C3%B6de", "n:ünïcöde")]
    [TestCase("a;b=1", "a;b:1")]                   // a semicolon parts nothing
    [TestCase("a=%25%32%35", "a:%25")]             // decoded once
    public void Pairs(string form, string expected) => Assert.That(Read(form), Is.EqualTo(expected));

    [TestCase("%")]
    [TestCase("%4")]
    [TestCase("a%")]
    [TestCase("a%4")]
    [TestCase("%zz")]
    [TestCase("%4g")]
    [TestCase("%g4")]
    [TestCase("% 4")]
    [TestCase("%-1")]
    [TestCase("%%41")]
    [TestCase("%41%")]
    public void A_percent_sign_without_two_hex_digits_is_refused(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        Assert.That(FormReader.NeedsDecoding(bytes));
        Assert.That(FormReader.TryDecode(bytes, new byte[bytes.Length], out _), Is.False);
    }

    [Test]
    public void Every_byte_value_decodes([Range(0, 255)] int value)
    {
        foreach (string hex in new[] { $"%{value:x2}", $"%{value:X2}" })
        {
            byte[] decoded = new byte[3];
            Assert.That(FormReader.TryDecode(Encoding.ASCII.GetBytes(hex), decoded, out int length));
            Assert.That(decoded[..length], Is.EqualTo(new[] { (byte)value }));
        }
    }

    [Test]
    public void As_many_fields_as_the_limit_and_no_more()
    {
        FormReader form = new("a&b&c"u8, maxFields: 3);
        Assert.That(form.Read(out _) && form.Read(out _) && form.Read(out _));
        Assert.That(form.Read(out _), Is.False);
        Assert.That(form.Error, Is.EqualTo(ContentError.None));

        FormReader longer = new("a&b&c&d"u8, maxFields: 3);
        Assert.That(longer.Read(out _) && longer.Read(out _) && longer.Read(out _));
        Assert.That(longer.Read(out _), Is.False);
        Assert.That(longer.Error, Is.EqualTo(ContentError.TooManyFields));
        Assert.That(longer.Read(out _), Is.False);
    }

    [Test]
    public void Reading_and_decoding_allocate_nothing()
    {
        byte[] form = "username=al+ice&password=p%40ss&plain=text"u8.ToArray();
        Decode(form);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++) Decode(form);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);

        static void Decode(byte[] form)
        {
            Span<byte> decoded = stackalloc byte[64];
            FormReader reader = new(form);
            while (reader.Read(out FormField field)) FormReader.TryDecode(field.Value, decoded, out _);
        }
    }

    private static string Read(string form)
    {
        List<string> pairs = [];
        FormReader reader = new(Encoding.UTF8.GetBytes(form));
        while (reader.Read(out FormField field)) pairs.Add($"{Decoded(field.Name)}:{Decoded(field.Value)}");
        Assert.That(reader.Error, Is.EqualTo(ContentError.None));
        return string.Join('|', pairs);
    }

    private static string Decoded(ReadOnlySpan<byte> text)
    {
        byte[] decoded = new byte[text.Length];
        Assert.That(FormReader.TryDecode(text, decoded, out int length));
        return Encoding.UTF8.GetString(decoded, 0, length);
    }
}
