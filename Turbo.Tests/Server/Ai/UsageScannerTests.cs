using System.Text;
using Turbo.Server.Ai;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Ai;

/// <summary>What a reply says of its usage, found however its bytes are cut.</summary>
[TestFixture]
internal sealed class UsageScannerTests
{
    [TestCase("""{"model":"gpt-4o","usage":{"prompt_tokens":1,"completion_tokens":22,"total_tokens":333}}""", "gpt-4o 1 22 333")]
    [TestCase("""{ "usage" : { "total_tokens" : 3 , "prompt_tokens" : 1 } , "model" : "m" }""", "m 1 - 3")]
    [TestCase("""{"model":"m","usage":{"input_tokens":5,"input_tokens_details":{"cached_tokens":4,"total_tokens":9},"output_tokens":6,"total_tokens":11}}""", "m 5 6 11", Description = "what is nested in usage is not usage")]
    [TestCase("""{"type":"response.completed","response":{"id":"r","model":"m","usage":{"input_tokens":5,"output_tokens":6,"total_tokens":11}}}""", "m 5 6 11")]
    [TestCase("""{"response":{"response":{"model":"inner","usage":{"total_tokens":1}}},"model":"outer"}""", "outer - - -")]
    [TestCase("""{"model":"m","choices":[],"usage":null}""", "m - - -")]
    [TestCase("""{"usage":null,"prompt_tokens":7,"model":"m"}""", "m - - -", Description = "outside of usage it is nothing")]
    [TestCase("""{"usage":[{"prompt_tokens":7}],"model":"m"}""", "m - - -")]
    [TestCase("""{"usage":{"prompt_tokens":null,"completion_tokens":2}}""", " - 2 -")]
    [TestCase("""{"usage":{"prompt_tokens":"9","completion_tokens":2}}""", " - 2 -", Description = "a string is no number")]
    [TestCase("""{"usage":{"prompt_tokens":[9],"completion_tokens":{"a":3},"total_tokens":4}}""", " - - 4")]
    [TestCase("""{"usage":{"prompt_tokens":0,"total_tokens":0}}""", " 0 - 0")]
    [TestCase("""{"usage":{"prompt_tokens":1.5,"completion_tokens":2e3,"total_tokens":12}}""", " - - 12", Description = "a count is a whole number")]
    [TestCase("""{"usage":{"prompt_tokens":-1,"total_tokens":12}}""", " - - 12")]
    [TestCase("""{"usage":{"prompt_tokens":99999999999999999999999999,"total_tokens":9223372036854775807}}""", " - - 9223372036854775807", Description = "one that no column holds is none")]
    [TestCase("""{"usage":{"prompt_tokens":9223372036854775808,"total_tokens":1}}""", " - - 1")]
    [TestCase("""{"a":{"model":"x","usage":{"total_tokens":1}},"b":[{"model":"y"}],"model":"m"}""", "m - - -")]
    [TestCase("""[{"model":"m","usage":{"total_tokens":1}}]""", " - - -")]
    [TestCase("""{"text":"\"model\":\"x\",\"usage\":{\"total_tokens\":1}\\","model":"m"}""", "m - - -", Description = "text within a string")]
    [TestCase("""{"text":"}}}]]{[\\\\\"","model":"m","usage":{"total_tokens":1}}""", "m - - 1")]
    [TestCase("""{"model":{"name":"x"},"usage":7}""", " - - -")]
    [TestCase("""{"model":null,"x":"model","usage":{"y":"total_tokens","total_tokens":1}}""", " - - 1")]
    [TestCase("""{"models":"x","mode":"y","Model":"z","model\u0000":"n"}""", " - - -")]
    [TestCase("""{"a_key_that_is_longer_than_any_of_ours_model":"x","completion_tokens_and_more":1,"usage":{"completion_tokens_and_more":5}}""", " - - -")]
    [TestCase("""{"model":"a","model":"b","usage":{"total_tokens":1},"usage":{"total_tokens":2}}""", "b - - 2", Description = "the last one stands, as in most parsers")]
    [TestCase("""{"model":"meta\/llama-\u0033 \"q\" \\ \u00e9"}""", "meta/llama-3 \"q\" \\ é - - -", Description = "escapes are undone")]
    [TestCase("""{"model":""}""", " - - -")]
    [TestCase("", " - - -")]
    [TestCase("null", " - - -")]
    [TestCase("""{"model":"cut""", " - - -")]
    [TestCase("""{"model":"m","usage":{"total_tokens":12""", "m - - -", Description = "more digits may have been to come")]
    public void Found_wherever_the_bytes_are_cut(string json, string expected)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(json);
        Assert.That(Scan(bytes), Is.EqualTo(expected));
        Assert.That(Scan([.. bytes.Select(static b => new[] { b })]), Is.EqualTo(expected), "byte by byte");
        for (int at = 1; at < bytes.Length; at++) Assert.That(Scan(bytes[..at], bytes[at..]), Is.EqualTo(expected), $"cut at {at}");
    }

    /// <summary>Containers of any size and depth are passed over, with strings that look like their ends.</summary>
    [TestCase("""{"b":[{"model":"x"},"]}\"]}\\"]}""")]
    [TestCase("""[[[[{"c":"\\\\\""}]]],"\\"]""")]
    [TestCase("""["no JSON":\"]",\\]""", Description = "a backslash outside of strings escapes nothing")]
    public void What_is_nested_is_passed_over(string nested)
    {
        for (int before = 0; before < 130; before++)
        {
            string blanks = new(' ', before);
            byte[] json = Encoding.UTF8.GetBytes($"{{\"model\":\"m\",\"a\":[{blanks}{nested}{blanks},{nested}],\"usage\":{{\"d\":{nested},\"total_tokens\":7}}}}");
            Assert.That(Scan(json), Is.EqualTo("m - - 7"), $"{before} before");
            Assert.That(Scan([.. json.Select(static b => new[] { b })]), Is.EqualTo("m - - 7"), $"{before} before, byte by byte");
        }
    }

    /// <summary>A beginning that was read before is known again, and only that.</summary>
    [Test]
    public void Documents_that_begin_alike()
    {
        UsageScanner scanner = new();
        string expected = "";
        foreach ((string json, string model) in new[]
        {
            ("""{"id":1,"model":"a","x":[1]}""", "a"), ("""{"id":1,"model":"a","model":"b"}""", "b"), ("""{"id":1,"model":"a","x":[1]}""", "a"),
            ("""{"id":1,"model":"a"}""", "a"), ("""{"id":1,"model":"ab"}""", "ab"), ("""{"id":1,"model":"a","usage":{"total_tokens":1}}""", "a"),
            ("""{"usage":{"total_tokens":2},"model":"c"}""", "c"), ("""{"usage":{"total_tokens":3},"model":"c"}""", "c"),
            ("""{"response":{"model":"d"}}""", "d"), ("""{"response":{"model":"d","usage":{"total_tokens":4}}}""", "d"), ("""{"model":"cut off""", "d"),
        })
        {
            scanner.BeginDocument();
            scanner.Feed(Encoding.UTF8.GetBytes(json));
            expected = model;
            Assert.That(Encoding.UTF8.GetString(scanner.Model), Is.EqualTo(expected), json);
        }
        Assert.That(Show(scanner), Is.EqualTo("d - - 4"));
    }

    [Test]
    public void A_later_document_adds_to_what_was_found()
    {
        UsageScanner scanner = new();
        foreach (string json in new[] { """{"model":"a","usage":null}""", """{"model":"b","usage":{"prompt_tokens":1}}""", """{"usage":{"total_tokens":2""", """{"x":3}""" })
        {
            scanner.BeginDocument();
            scanner.Feed(Encoding.UTF8.GetBytes(json));
        }
        Assert.That(Show(scanner), Is.EqualTo("b 1 - -"));
        scanner.Reset();
        Assert.That(Show(scanner), Is.EqualTo(" - - -"));
    }

    [TestCase(60)]
    [TestCase(64)]
    [TestCase(65)]
    [TestCase(200_000)]
    public void Deep_nesting_costs_nothing_and_confuses_nothing(int depth)
    {
        string nested = $$$"""{"a":{{{new string('[', depth)}}}{"model":"deep","usage":{"total_tokens":9}}{{{new string(']', depth)}}},"model":"m","usage":{"total_tokens":1}}""";
        Assert.That(Scan(Encoding.UTF8.GetBytes(nested)), Is.EqualTo("m - - 1"));
    }

    [Test]
    public void A_long_model_name_is_cut_and_stays_valid()
    {
        string model = new('m', 300);
        Assert.That(Scan(Encoding.UTF8.GetBytes($$"""{"model":"{{model}}"}""")), Is.EqualTo($"{model[..128]} - - -"));
    }

    [Test]
    public void Garbage_finds_nothing_and_breaks_nothing()
    {
        Random random = new(20261123);
        byte[] alphabet = "{}[]\":,\\ 0123456789.eE-+abmodelusage_tokens\n\0\u00ff"u8.ToArray();
        UsageScanner scanner = new();
        for (int round = 0; round < 2000; round++)
        {
            byte[] bytes = new byte[random.Next(1, 200)];
            for (int i = 0; i < bytes.Length; i++) bytes[i] = alphabet[random.Next(alphabet.Length)];
            scanner.Reset();
            scanner.Feed(bytes);
            // Whatever came before, a new document starts afresh.
            scanner.Reset();
            scanner.Feed("""{"model":"m","usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"""u8);
            Assert.That(Show(scanner), Is.EqualTo("m 1 2 3"), Segmented.Show(bytes));
        }
    }

    private static string Scan(params byte[][] pieces)
    {
        UsageScanner scanner = new();
        foreach (byte[] piece in pieces) scanner.Feed(piece);
        return Show(scanner);
    }

    internal static string Show(UsageScanner scanner) =>
        $"{Encoding.UTF8.GetString(scanner.Model)} {Number(scanner.PromptTokens)} {Number(scanner.CompletionTokens)} {Number(scanner.TotalTokens)}";

    private static string Number(long? number) => number?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "-";
}
