using System.Text;
using Turbo.Server.Events;
using Turbo.Server.Model;

namespace Turbo.Tests.Server.Events;

[TestFixture]
internal sealed class RedactionTests
{
    [TestCase("a=1&b=2", "a=1&b=2")]
    [TestCase("", "")]
    [TestCase("&&=&", "&&=&")]
    [TestCase("token=abc", "token=***")]
    [TestCase("token=", "token=***")]
    [TestCase("token", "token")]
    [TestCase("id=7&token=abc%3D%3D&x=y", "id=7&token=***&x=y")]
    [TestCase("username=ann&password=s3cret", "username=ann&password=***")]
    [TestCase("old_password=a&new_password=b", "old_password=***&new_password=***")]
    [TestCase("PassWord=a&TOKEN=b", "PassWord=***&TOKEN=***")]
    [TestCase("p%61ssword=a", "p%61ssword=***")]
    [TestCase("%70%61%73%73%77%6f%72%64=a", "%70%61%73%73%77%6f%72%64=***")]
    [TestCase("+token+=a", "+token+=***")]
    [TestCase("token=a=b=c", "token=***")]
    [TestCase("redirect_url=/x%3Ftoken%3Dabc", "redirect_url=***")]
    [TestCase("prompt_tokens=7&tokens=8&max_tokens=9", "prompt_tokens=7&tokens=8&max_tokens=9")]
    [TestCase("api_key=k&api-key=k&client_secret=s", "api_key=***&api-key=***&client_secret=***")]
    [TestCase("token=first&token=second", "token=***&token=***")]
    [TestCase("token%=a&%zz=b", "token%=a&%zz=b")]
    public void Form(string form, string expected) => Assert.That(Copy(form, Redaction.TryCopyForm), Is.EqualTo(expected));

    /// <summary>Wherever a name stands in the blocks that are looked at together, and whatever leads up to it.</summary>
    [Test]
    public void Json_at_any_place()
    {
        for (int before = 0; before < 200; before++)
        {
            foreach (string name in (string[])["token", "TOKEN", " token ", "t\\u006fken", "proxy-authorization"])
            {
                foreach (string colon in (string[])[":", " :", "\r\n\t: "])
                {
                    string head = $"{{\"x\":\"{new string('\\', before * 2)}{new string('y', before)}\",\"{name}\"{colon}", tail = ",\"z\":\"token\"}";
                    Assert.That(Copy($"{head}\"s3cret\"{tail}", Redaction.TryCopyJson), Is.EqualTo($"{head}\"***\"{tail}"));
                    string none = head.Replace(name, "tokens", StringComparison.Ordinal) + tail;
                    Assert.That(Copy(none, Redaction.TryCopyJson), Is.EqualTo(none));
                }
            }
        }
    }

    [TestCase("", "")]
    [TestCase("no json", "no json")]
    [TestCase("""{"a":"b","n":1}""", """{"a":"b","n":1}""")]
    [TestCase("""{"password":"s3cret"}""", """{"password":"***"}""")]
    [TestCase("""{"a":1, "token" : "abc" , "b":2}""", """{"a":1, "token" : "***" , "b":2}""")]
    [TestCase("""{"Password":"a"}""", """{"Password":"***"}""")]
    [TestCase("""{"p\u0061ssword":"a"}""", """{"p\u0061ssword":"***"}""")]
    [TestCase("""{"\u0070\u0061\u0073\u0073\u0077\u006F\u0072\u0064":"a"}""", """{"\u0070\u0061\u0073\u0073\u0077\u006F\u0072\u0064":"***"}""")]
    [TestCase("""{"password":"quote \" inside","b":"c"}""", """{"password":"***","b":"c"}""")]
    [TestCase("""{"password":"ends in \\","b":"c"}""", """{"password":"***","b":"c"}""")]
    [TestCase("""{"password":12345}""", """{"password":"***"}""")]
    [TestCase("""{"password":null,"b":true}""", """{"password":"***","b":true}""")]
    [TestCase("""{"password":{"x":["s3cret","}"]},"b":1}""", """{"password":"***","b":1}""")]
    [TestCase("""{"token":["a","b"],"b":1}""", """{"token":"***","b":1}""")]
    [TestCase("""{"a":{"b":[{"token":"x"}]}}""", """{"a":{"b":[{"token":"***"}]}}""")]
    [TestCase("""{"a":"password","b":"token"}""", """{"a":"password","b":"token"}""")]
    [TestCase("""["password","token"]""", """["password","token"]""")]
    [TestCase("""{"usage":{"prompt_tokens":7,"total_tokens":9}}""", """{"usage":{"prompt_tokens":7,"total_tokens":9}}""")]
    [TestCase("""{"Authorization":"Bearer x"}""", """{"Authorization":"***"}""")]
    // Cut off by the limit, anywhere.
    [TestCase("{\"a\":1,\"password\":\"s3cr", "{\"a\":1,\"password\":\"***\"")]
    [TestCase("{\"a\":1,\"password\":\"s3cr\\", "{\"a\":1,\"password\":\"***\"")]
    [TestCase("{\"a\":1,\"password\":", "{\"a\":1,\"password\":")]
    [TestCase("{\"a\":1,\"password\"", "{\"a\":1,\"password\"")]
    [TestCase("{\"a\":1,\"passw", "{\"a\":1,\"passw")]
    [TestCase("{\"password\":{\"x\":\"s3cr", "{\"password\":\"***\"")]
    [TestCase("{\"password\":12", "{\"password\":\"***\"")]
    // Broken over lines.
    [TestCase("{\"password\":\"two\nlines\",\"b\":1}", "{\"password\":\"***\",\"b\":1}")]
    [TestCase("{\"password\"\n:\n\"x\"}", "{\"password\"\n:\n\"***\"}")]
    // An event stream: a stray quote spoils its own line only.
    [TestCase(": it's 5\" wide\ndata: {\"token\":\"x\"}\n\n", ": it's 5\" wide\ndata: {\"token\":\"***\"}\n\n")]
    public void Json(string json, string expected) => Assert.That(Copy(json, Redaction.TryCopyJson), Is.EqualTo(expected));

    [Test]
    public void No_cut_of_a_body_lets_a_secret_through()
    {
        const string Body = """{"username":"ann","password":"S3CRET\"\\\u0041x","nested":{"token":["S3CRET",{"deep":"S3CRET"}]},"tail":1}""";
        for (int length = 0; length <= Body.Length; length++)
            Assert.That(Copy(Body[..length], Redaction.TryCopyJson), Does.Not.Contain("S3C"), Body[..length]);
        const string Form = "username=ann&password=S3CRET%41&x=1&token=S3CRET";
        for (int length = 0; length <= Form.Length; length++)
            Assert.That(Copy(Form[..length], Redaction.TryCopyForm), Does.Not.Contain("S3C"), Form[..length]);
    }

    [Test]
    public void Random_bytes_never_break_it()
    {
        var random = new Random(3);
        byte[] alphabet = "\"\\:{}[], \n%u0061tokenpassword=&"u8.ToArray();
        for (int i = 0; i < 20_000; i++)
        {
            byte[] bytes = new byte[random.Next(60)];
            for (int j = 0; j < bytes.Length; j++)
                bytes[j] = alphabet[random.Next(alphabet.Length)];
            var to = new TextBuffer();
            Assert.DoesNotThrow(() => Redaction.TryCopyJson(bytes, to));
            Assert.DoesNotThrow(() => Redaction.TryCopyForm(bytes, to));
        }
    }

    private delegate bool Copier(ReadOnlySpan<byte> from, TextBuffer to);

    private static string Copy(string text, Copier copy)
    {
        var to = new TextBuffer();
        if (copy(Encoding.UTF8.GetBytes(text), to))
            return to.ToString();
        Assert.That(to.Length, Is.Zero);
        return text;
    }
}
