using System.Text;
using Turbo.Server.Api;

namespace Turbo.Tests.Server.Api;

/// <summary>The types of contract section 2 that a parameter may have, from each place it may come from.</summary>
[TestFixture]
internal sealed class ParametersTests
{
    [TestCase("""{"a":true}""", true)]
    [TestCase("""{"a":false}""", false)]
    [TestCase("""{"a":1}""", true)]
    [TestCase("""{"a":0}""", false)]
    [TestCase("""{"a":null}""", null)]
    [TestCase("{}", null)]
    [TestCase("a=true", true)]
    [TestCase("a=false", false)]
    [TestCase("a=1", true)]
    [TestCase("a=0", false)]
    [TestCase("a=", null)]
    [TestCase("b=1", null)]
    public void Flags(string body, bool? expected)
    {
        foreach (bool absent in new[] { true, false })
        {
            Parameters parameters = Read(body);
            Assert.That(parameters.Flag("a"u8, absent), Is.EqualTo(expected ?? absent));
            Assert.That(parameters.HasError, Is.False);
        }
    }

    [TestCase("""{"a":2}""")]
    [TestCase("""{"a":"true"}""")]
    [TestCase("""{"a":"1"}""")]
    [TestCase("""{"a":[true]}""")]
    [TestCase("""{"a":{}}""")]
    [TestCase("a=yes")]
    [TestCase("a=TRUE")]
    [TestCase("a=01")]
    public void What_is_no_flag(string body)
    {
        Parameters parameters = Read(body);
        parameters.Flag("a"u8);
        IsRefused(parameters, "a is not true, false, 1 or 0");
    }

    [TestCase("""{"a":0}""", 0)]
    [TestCase("""{"a":10}""", 10)]
    [TestCase("a=7", 7)]
    [TestCase("a=", null)]
    [TestCase("""{"a":null}""", null)]
    [TestCase("{}", null)]
    public void Numbers(string body, int? expected)
    {
        Parameters parameters = Read(body);
        Assert.That(parameters.Number("a"u8, 0, 10), Is.EqualTo(expected));
        Assert.That(parameters.HasError, Is.False);
    }

    [TestCase("""{"a":-1}""")]
    [TestCase("""{"a":11}""")]
    [TestCase("""{"a":99999999999}""")]
    [TestCase("""{"a":1.5}""")]
    [TestCase("""{"a":1e1}""")]
    [TestCase("""{"a":"1"}""")]
    [TestCase("""{"a":true}""")]
    [TestCase("a=x")]
    [TestCase("a=1x")]
    [TestCase("a=+1x")]
    public void What_is_no_number(string body)
    {
        Parameters parameters = Read(body);
        parameters.Number("a"u8, 0, 10);
        IsRefused(parameters, "a is not a whole number from 0 to 10");
    }

    [TestCase("""{"a":["x","y"]}""", "x|y")]
    [TestCase("""{"a":["x,y"]}""", "x,y")]             // an array's element is one, whatever it holds
    [TestCase("""{"a":[" x ",""]}""", "x")]
    [TestCase("""{"a":[]}""", "")]
    [TestCase("""{"a":"x,y"}""", "x|y")]
    [TestCase("""{"a":["x"],"a":["y","z"],"b":["w"]}""", "y|z")]
    [TestCase("a=x", "x")]
    [TestCase("a=x&a=y", "x|y")]
    [TestCase("a=x,y&b=w&a=z", "x|y|z")]
    [TestCase("a=x%2C+y,,", "x|y")]
    [TestCase("a=", "")]
    [TestCase("""{"a":null}""", null)]
    [TestCase("b=x", null)]
    public void Lists(string body, string? expected)
    {
        Parameters parameters = Read(body);
        List<string>? list = parameters.List("a"u8, 10);
        Assert.That(list is null ? null : string.Join('|', list), Is.EqualTo(expected));
        Assert.That(parameters.HasError, Is.False);
    }

    [TestCase("""{"a":["x",1]}""")]
    [TestCase("""{"a":[null]}""")]
    [TestCase("""{"a":[["x"]]}""")]
    [TestCase("""{"a":{"x":1}}""")]
    [TestCase("""{"a":1}""")]
    [TestCase("""{"a":true}""")]
    public void What_is_no_list(string body)
    {
        Parameters parameters = Read(body);
        parameters.List("a"u8, 10);
        IsRefused(parameters, "a is not an array of strings");
    }

    [Test]
    public void Lists_are_bounded([Values(1024, 1025, 50_000)] int count)
    {
        Parameters parameters = Read($$"""{"a":[{{string.Join(',', Enumerable.Repeat("\"x\"", count))}}]}""");
        parameters.List("a"u8, 2000);
        Assert.That(parameters.HasError, Is.EqualTo(count > 1024));
        Parameters form = Read("a=" + string.Join(',', Enumerable.Repeat("x", count)));
        form.List("a"u8, 1024);
        Assert.That(form.HasError, Is.EqualTo(count > 1024));
    }

    [Test]
    public void The_list_of_the_body_hides_that_of_the_query()
    {
        Parameters parameters = Read("a=x", "a=y&a=z&b=w&b=v");
        Assert.That(parameters.List("a"u8, 10), Is.EqualTo(new[] { "x" }));
        Assert.That(parameters.List("b"u8, 10), Is.EqualTo(new[] { "w", "v" }));
    }

    [Test]
    public void The_first_error_stands_and_a_reset_clears_it()
    {
        Parameters parameters = Read("""{"a":1,"b":2}""");
        parameters.Text("b"u8, 10);
        parameters.Text("a"u8, 10);
        IsRefused(parameters, "b is not a string");
        parameters.Reset();
        Assert.That(parameters.HasError, Is.False);
        Assert.That(parameters.Text("b"u8, 10), Is.Null);
        Assert.That(parameters.ReadForm("b=again"u8));
        Assert.That(parameters.Text("b"u8, 10), Is.EqualTo("again"));
    }

    [TestCase("€€€", 3, true)]
    [TestCase("€€€€", 3, false)]
    [TestCase("😀😀😀", 3, true)]
    public void Length_is_counted_in_characters(string text, int most, bool fits)
    {
        Parameters parameters = Read($"a={Uri.EscapeDataString(text)}");
        Assert.That(parameters.Text("a"u8, most), Is.EqualTo(fits ? text : null));
        Assert.That(parameters.HasError, Is.EqualTo(!fits));
    }

    [Test]
    public void Reading_again_and_again_allocates_only_what_is_kept()
    {
        Parameters parameters = new();
        byte[] json = """{"name":"a\u0020b","ids":["x"],"flag":true,"number":5}"""u8.ToArray();
        for (int i = 0; i < 3; i++) Go(parameters, json);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++) Go(parameters, json);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);

        static void Go(Parameters parameters, byte[] json)
        {
            parameters.ReadJson(json);
            parameters.ReadQuery("other=%20"u8);
            parameters.Bytes("name"u8, out _);
            parameters.Flag("flag"u8);
            parameters.Number("number"u8, 0, 10);
            parameters.Reset();
        }
    }

    private static Parameters Read(string body, string query = "")
    {
        Parameters parameters = new();
        byte[] bytes = Encoding.UTF8.GetBytes(body);
        Assert.That(body.StartsWith('{') ? parameters.ReadJson(bytes) : parameters.ReadForm(bytes));
        Assert.That(parameters.ReadQuery(Encoding.UTF8.GetBytes(query)));
        return parameters;
    }

    private static void IsRefused(Parameters parameters, string message)
    {
        Assert.That(parameters.HasError);
        Assert.That((parameters.Error.Status, parameters.Error.Message), Is.EqualTo((400, message)));
    }
}
