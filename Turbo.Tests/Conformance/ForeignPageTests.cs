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
}
