using Turbo.Server.Model;

namespace Turbo.Tests.Server.Model;

[TestFixture]
internal sealed class SavedPromptTests
{
    [TestCase("be brief", "", "be brief")]
    [TestCase("be brief", "why?", "be brief\n\nwhy?")]
    [TestCase("a {{input}} b {{input}}", "x", "a x b x")]
    [TestCase("{{input}}", "{{input}}", "{{input}}")]
    [TestCase("{{input}}{{input}}", "a{{input}}b", "a{{input}}ba{{input}}b")]
    [TestCase("{input} {{ input }}", "x", "{input} {{ input }}\n\nx")]
    [TestCase("{{{input}}}", "x", "{x}")]
    public void The_input_goes_in_its_place_or_after_the_text(string text, string input, string expected) =>
        Assert.That(Of(text).With(input, 1000), Is.EqualTo(expected));

    [TestCase("{{input}}{{input}}", "ü", 4)]
    [TestCase("ab", "ü", 6)]
    [TestCase("a{{input}}", "xyz", 4)]
    public void It_is_as_long_as_may_be_and_no_longer(string text, string input, int bytes)
    {
        Assert.That(Of(text).With(input, bytes), Is.Not.Null);
        Assert.That(Of(text).With(input, bytes - 1), Is.Null);
    }

    [Test]
    public void What_would_be_too_long_is_not_made() =>
        Assert.That(Of(string.Concat(Enumerable.Repeat(SavedPrompt.Placeholder, 100_000))).With(new string('x', 1_000_000), 1 << 20), Is.Null);

    private static SavedPrompt Of(string text) => new() { Id = "p", Text = text };
}
