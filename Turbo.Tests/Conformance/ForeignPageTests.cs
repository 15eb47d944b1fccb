using Turbo.Tests.Support;

namespace Turbo.Tests.Conformance;

/// <summary>Pages of other origins that ask for changes with their visitor's cookie.</summary>
internal sealed class ForeignPageTests
{
    [Test]
    public async Task A_page_of_another_origin_changes_nothing_with_the_visitors_cookie()
    {
        await using TestApp app = await TestApp.StartAsync(static options => options with { CorsOrigins = ["https://friend.example"] });
        (string token, _) = await app.SignUpAsync("ann");
        const string foreign = "Origin: http://localhost:3000\r\nSec-Fetch-Site: same-site";
        (string Fields, int Status)[] cases =
        [
            ($"{foreign}\r\nCookie: sess={token}", 403),
            ($"Origin: null\r\nSec-Fetch-Site: cross-site\r\nCookie: sess={token}", 403),
            ($"{foreign}\r\nAuthorization: Basic {Convert.ToBase64String(System.Text.Encoding.ASCII.GetBytes($":{token}"))}", 403),
            // Its own page, one that is named, and who brings the token itself.
            ($"Origin: http://x\r\nSec-Fetch-Site: same-origin\r\nCookie: sess={token}", 200),
            ($"Origin: https://friend.example\r\nSec-Fetch-Site: cross-site\r\nCookie: sess={token}", 200),
            ($"{foreign}\r\nAuthorization: Bearer {token}\r\nCookie: sess={token}", 200),
            // No browser, or one from before there was the field.
            ($"Origin: http://localhost:3000\r\nCookie: sess={token}", 200),
            ($"Cookie: sess={token}", 200),
        ];
        foreach ((string fields, int status) in cases)
        {
            using RawClient client = app.Connect();
            RawResponse response = client.Exchange($"POST /group/create HTTP/1.1\r\nHost: x\r\n{fields}\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n\r\n{{\"name\":\"x\"}}");
            Assert.That(response.Status, Is.EqualTo(status), fields + response.Text);
            if (status == 403) Assert.That(response.Text, Does.Contain("origin_not_allowed"));
            // What the route does not take for a credential vouches for none.
            Assert.That(client.Exchange($"POST /group/delete?token=x&id=none HTTP/1.1\r\nHost: x\r\n{fields}\r\nContent-Length: 0\r\n\r\n").Status, Is.EqualTo(status == 403 ? 403 : 404), fields);
            Assert.That(client.Exchange($"GET /group/index HTTP/1.1\r\nHost: x\r\n{fields}\r\n\r\n").Status, Is.EqualTo(200), "what only reads is the browser's to keep from the page");
        }
        Assert.That((await app.GetAsync("/group/index", token)).Json.GetProperty("groups").GetArrayLength(), Is.EqualTo(6));
    }

    [TestCase("Origin: https://evil.example\r\nSec-Fetch-Site: cross-site", false)]
    [TestCase("Origin: http://localhost:3000\r\nSec-Fetch-Site: same-site", false)]
    [TestCase("Origin: https://friend.example\r\nSec-Fetch-Site: cross-site", true)]
    [TestCase("Origin: http://x\r\nSec-Fetch-Site: same-origin", true)]
    [TestCase("Accept: */*", true)]
    public async Task A_page_of_another_origin_logs_its_visitor_neither_in_nor_out(string fields, bool isHeeded)
    {
        await using TestApp app = await TestApp.StartAsync(static options => options with { CorsOrigins = ["https://friend.example"] });
        (string token, _) = await app.SignUpAsync("ann");

        RawResponse loggedIn = Post("/user/login", "username=ann&password=correct%20horse");
        RawResponse signedUp = Post("/user/signup", "username=bob");
        foreach (RawResponse response in (RawResponse[])[loggedIn, signedUp])
        {
            Assert.That(response.Status, Is.EqualTo(200), response.Text);
            Assert.That(response.Text, Does.Contain("\"Token\":"));
            Assert.That(response.Field("Set-Cookie"), isHeeded ? Does.StartWith("sess=") : Is.Null);
        }
        Assert.That(Post("/user/logout", "", $"Cookie: sess={token}\r\n").Status, Is.EqualTo(isHeeded ? 200 : 401));
        Assert.That((await app.GetAsync("/user/session", token)).Status, Is.EqualTo(isHeeded ? 401 : 200));
        // Who brings a token may end its session; the visitor's cookie stays.
        (string other, _) = await app.SignUpAsync("carol");
        RawResponse ended = Post("/user/logout", $"token={other}");
        Assert.That(ended.Status, Is.EqualTo(200));
        Assert.That(ended.Field("Set-Cookie"), isHeeded ? Does.StartWith("sess=;") : Is.Null);

        RawResponse Post(string path, string form, string more = "")
        {
            using RawClient client = app.Connect();
            return client.Exchange($"POST {path} HTTP/1.1\r\nHost: x\r\n{fields}\r\n{more}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {form.Length}\r\n\r\n{form}");
        }
    }
}
