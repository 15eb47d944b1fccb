using System.Text;
using Turbo.Server.Events;
using Turbo.Server.Model;

namespace Turbo.Tests.Server.Events;

[TestFixture]
internal sealed class EventTextTests
{
    private static EventRow Clean(string endpoint, byte[] request, byte[] response, string query = "")
    {
        var row = new EventRow();
        row.Endpoint.Set(endpoint);
        row.Request.Set(request);
        row.Response.Set(response);
        row.Params.Set(query);
        new EventText().Clean(row);
        return row;
    }

    private static EventRow Clean(string endpoint, string request, string response, string query = "") =>
        Clean(endpoint, Encoding.UTF8.GetBytes(request), Encoding.UTF8.GetBytes(response), query);

    [TestCase("/user/signup")]
    [TestCase("/user/login")]
    [TestCase("/user/logout")]
    [TestCase("/user/password/update")]
    public void The_four_public_routes_keep_no_content(string endpoint)
    {
        EventRow row = Clean(endpoint, "username=ann&password=x", """{"Token":"t"}""", "username=ann&password=x&token=t");
        Assert.That((row.Request.Length, row.Response.Length), Is.EqualTo((0, 0)));
        Assert.That(row.Params.ToString(), Is.EqualTo("username=ann&password=***&token=***"));
    }

    [TestCase("name=team&token=T0KEN", "name=team&token=***")]
    [TestCase("""{"name":"team","token":"T0KEN"}""", """{"name":"team","token":"***"}""")]
    [TestCase(""" {"token":"T0KEN"}""", """ {"token":"***"}""")]
    // Neither JSON nor a form: refused by the route, and nobody knows what is secret in it.
    [TestCase("""{token:"T0KEN"}""", "")]
    [TestCase("""{"a":"\"{"token":"T0KEN"}""", "")]
    [TestCase("--x\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\nT0KEN\r\n--x--", "")]
    // A byte order mark makes it no JSON for the route either.
    [TestCase("\uFEFF{\"token\":\"T0KEN\"}", "\uFEFF{\"token\":\"***\"}")]
    // Cut off by the limit.
    [TestCase("{\"name\":\"team\",\"token\":\"T0K", "{\"name\":\"team\",\"token\":\"***\"")]
    public void Own_routes(string request, string expected) =>
        Assert.That(Clean("/group/create", request, "").Request.ToString(), Is.EqualTo(expected));

    [TestCase("""{"model":"gpt-4","messages":[{"content":"a=b&token=c"}]}""", """{"model":"gpt-4","messages":[{"content":"a=b&token=c"}]}""")]
    [TestCase("""{"model":"gpt-4","password":"x"}""", """{"model":"gpt-4","password":"***"}""")]
    [TestCase("--x\r\nfile\r\n--x--", "--x\r\nfile\r\n--x--")]
    public void Proxied_content_is_kept_less_its_secrets(string request, string expected) =>
        Assert.That(Clean("/v1/chat/completions", request, "").Request.ToString(), Is.EqualTo(expected));

    [Test]
    public void Bytes_that_are_no_text_become_text()
    {
        EventRow row = Clean("/v1/audio/speech", [(byte)'a', 0xff, 0, (byte)'b', 0xe2, 0x98], "ünï☃"u8.ToArray());
        Assert.That(row.Request.ToString(), Is.EqualTo("a\uFFFD\uFFFDb"), "and the character cut in two is left out");
        Assert.That(row.Response.ToString(), Is.EqualTo("ünï☃"));
    }
}
