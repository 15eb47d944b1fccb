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

    private static RouteTable<string> Patterns()
    {
        RouteTable<string> table = new();
        table.Get("/note/{id}"u8, "get note");
        table.Map(HttpMethod.Delete, "/note/{id}"u8, "delete note");
        table.Post("/note/new"u8, "new note");
        table.Get("/note/last"u8, "last note");
        table.Get("/note/{id}/part/{part}"u8, "part");
        table.Get("/note/{id}/part/first"u8, "first part");
        table.Get("/{name}"u8, "top");
        table.Any("/note/*"u8, "below note");
        return table;
    }

    [TestCase(HttpMethod.Get, "/note/7", "get note", "id=7")]
    [TestCase(HttpMethod.Head, "/note/7", "get note", "id=7")]
    [TestCase(HttpMethod.Delete, "/note/a%2Fb", "delete note", "id=a%2Fb")]
    [TestCase(HttpMethod.Get, "/note/last", "last note", "")]
    // The literal path takes another method only: the pattern has this one.
    [TestCase(HttpMethod.Get, "/note/new", "get note", "id=new")]
    [TestCase(HttpMethod.Post, "/note/new", "new note", "")]
    [TestCase(HttpMethod.Get, "/note/7/part/2", "part", "id=7 part=2")]
    [TestCase(HttpMethod.Get, "/note/7/part/first", "first part", "id=7")]
    [TestCase(HttpMethod.Get, "/note", "top", "name=note")]
    [TestCase(HttpMethod.Get, "/note/", "below note", "")]
    [TestCase(HttpMethod.Get, "/note/7/", "below note", "")]
    [TestCase(HttpMethod.Get, "/note//part/2", "below note", "")]
    [TestCase(HttpMethod.Get, "/note/7/part/2/3", "below note", "")]
    public void Finds_by_pattern(HttpMethod method, string path, string target, string values)
    {
        byte[] bytes = Segmented.Bytes(path);
        RouteMatch<string> match = Patterns().Match(method, bytes);
        Assert.That(match.Target, Is.EqualTo(target));
        List<string> found = [];
        foreach (string name in (string[])["id", "part", "name"])
        {
            if (match.Pattern is { } pattern && pattern.TryGet(bytes, Segmented.Bytes(name), out ReadOnlySpan<byte> value)) found.Add($"{name}={Encoding.ASCII.GetString(value)}");
        }
        Assert.That(string.Join(' ', found), Is.EqualTo(values));
    }

    [TestCase(HttpMethod.Post, "/note/7", "GET, HEAD, DELETE")]
    [TestCase(HttpMethod.Put, "/note/new", "POST")]
    [TestCase(HttpMethod.Post, "/x", "GET, HEAD")]
    public void A_pattern_lists_its_methods(HttpMethod method, string path, string allow)
    {
        RouteMatch<string> match = Patterns().Match(method, Segmented.Bytes(path));
        Assert.That((match.Target, match.IsKnownPath), Is.EqualTo(((string?)null, true)));
        Assert.That(Encoding.ASCII.GetString(match.Allow.Span), Is.EqualTo(allow));
    }

    [TestCase("/")]
    [TestCase("/a/b")]
    [TestCase("//")]
    [TestCase("")]
    [TestCase("*")]
    public void No_pattern_fits(string path) => Assert.That(Patterns().Match(HttpMethod.Get, Segmented.Bytes(path)).IsKnownPath, Is.False);

    [TestCase("/{id}/{id}")]
    [TestCase("/{}")]
    [TestCase("/{a-b}")]
    [TestCase("/x{id}")]
    [TestCase("/{id}x")]
    [TestCase("/{id")]
    [TestCase("/id}")]
    [TestCase("/{id}/*")]
    [TestCase("{id}")]
    // Fits the same paths as one that is there.
    [TestCase("/note/{other}")]
    public void A_pattern_that_is_none_is_a_mistake(string path) =>
        Assert.Throws<ArgumentException>(() => Patterns().Get(Segmented.Bytes(path), "x"));

    [Test]
    public void A_table_tells_what_it_has()
    {
        RouteTable<string> table = Patterns();
        string[] asked = ["/note/last", "/note/{id}", "/note/*", "/", "/note/{id}/part", "/chat/*", ""];
        Assert.That(asked.Where(path => table.Has(Segmented.Bytes(path))), Is.EqualTo(asked[..3]));
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
