using System.Text;
using Turbo.Net;
using Turbo.Tests.Support;
using HttpMethod = Turbo.Net.HttpMethod;

namespace Turbo.Tests.Net;

[TestFixture]
internal sealed class RouterTests
{
    private static RouteTable<string> Table()
    {
        RouteTable<string> table = new();
        table.Get("/"u8, "root");
        table.Get("/a"u8, "get a");
        table.Post("/a"u8, "post a");
        table.Map(HttpMethod.Head, "/own"u8, "head own");
        table.Get("/own"u8, "get own");
        table.Any("/v1/*"u8, "below v1");
        table.Any("/v1/deep/*"u8, "below deep");
        table.Post("/v1/exact"u8, "exact");
        return table;
    }

    [TestCase(HttpMethod.Get, "/", "root")]
    [TestCase(HttpMethod.Get, "/a", "get a")]
    [TestCase(HttpMethod.Post, "/a", "post a")]
    [TestCase(HttpMethod.Head, "/a", "get a")]
    [TestCase(HttpMethod.Head, "/own", "head own")]
    [TestCase(HttpMethod.Get, "/v1/", "below v1")]
    [TestCase(HttpMethod.Other, "/v1/x", "below v1")]
    [TestCase(HttpMethod.Trace, "/v1/deep", "below v1")]
    [TestCase(HttpMethod.Delete, "/v1/deep/x", "below deep")]
    [TestCase(HttpMethod.Post, "/v1/exact", "exact")]
    public void Finds(HttpMethod method, string path, string target) =>
        Assert.That(Table().Match(method, Segmented.Bytes(path)).Target, Is.EqualTo(target));

    [TestCase(HttpMethod.Get, "/A")]
    [TestCase(HttpMethod.Get, "/a/")]
    [TestCase(HttpMethod.Get, "//a")]
    [TestCase(HttpMethod.Get, "/%61")]
    [TestCase(HttpMethod.Get, "/v1")]
    [TestCase(HttpMethod.Get, "")]
    [TestCase(HttpMethod.Get, "*")]
    public void Knows_no_other_spelling(HttpMethod method, string path)
    {
        RouteMatch<string> match = Table().Match(method, Segmented.Bytes(path));
        Assert.That((match.Target, match.IsKnownPath), Is.EqualTo(((string?)null, false)));
    }

    [TestCase(HttpMethod.Delete, "/a", "GET, HEAD, POST")]
    [TestCase(HttpMethod.Other, "/a", "GET, HEAD, POST")]
    [TestCase(HttpMethod.Post, "/own", "GET, HEAD")]
    [TestCase(HttpMethod.Get, "/v1/exact", "POST")]
    public void A_known_path_lists_its_methods(HttpMethod method, string path, string allow)
    {
        RouteMatch<string> match = Table().Match(method, Segmented.Bytes(path));
        Assert.That((match.Target, match.IsKnownPath), Is.EqualTo(((string?)null, true)));
        Assert.That(Encoding.ASCII.GetString(match.Allow.Span), Is.EqualTo(allow));
    }

    [Test]
    public void A_route_for_any_method_allows_all()
    {
        RouteTable<string> table = new();
        table.Any("/x"u8, "x");
        Assert.That(Encoding.ASCII.GetString(table.Match(HttpMethod.Get, "/x"u8).Allow.Span), Is.EqualTo("GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS, TRACE, CONNECT"));
    }

    [Test]
    public void Two_routes_for_one_and_paths_that_are_none_are_mistakes()
    {
        RouteTable<string> table = Table();
        Assert.Throws<ArgumentException>(() => table.Get("/a"u8, "again"));
        Assert.Throws<ArgumentException>(() => table.Get("a"u8, "relative"));
        Assert.Throws<ArgumentException>(() => table.Get(""u8, "empty"));
        Assert.Throws<ArgumentException>(() => table.Any(""u8, "empty"));
        Assert.Throws<ArgumentException>(() => table.Any("/v1/*"u8, "again"));
    }

    [Test]
    public void Many_routes_are_all_found()
    {
        RouteTable<string> table = new();
        for (int i = 0; i < 1000; i++) table.Get(Segmented.Bytes($"/r/{i}"), $"{i}");
        for (int i = 0; i < 1000; i++) Assert.That(table.Match(HttpMethod.Get, Segmented.Bytes($"/r/{i}")).Target, Is.EqualTo($"{i}"));
        Assert.That(table.Match(HttpMethod.Get, "/r/1000"u8).IsKnownPath, Is.False);
    }
}
