using System.IO.Compression;
using System.Text.RegularExpressions;
using Turbo.Tests.Support;

namespace Turbo.Tests.Conformance;

/// <summary>The page at / and its files as they go over the wire. How it behaves in a browser: <c>Browser.PageTests</c>.</summary>
internal sealed partial class WebPageTests
{
    private TestApp _app = null!;
    private string[] _files = [];

    [OneTimeSetUp]
    public async Task StartAsync()
    {
        _app = await TestApp.StartAsync();
        _files = [.. FileNames().Matches((await _app.GetAsync("/")).Content).Select(static match => match.Value).Distinct()];
    }

    [OneTimeTearDown]
    public async Task StopAsync() => await _app.DisposeAsync();

    [Test]
    public void The_page_and_all_of_its_files_are_small_and_say_what_they_are()
    {
        RawResponse page = Get("/");
        Assert.That((page.Status, page.Field("Content-Type"), page.Field("Cache-Control")), Is.EqualTo((200, "text/html; charset=utf-8", "no-cache")));
        Assert.That(page.Text, Does.StartWith("<!doctype html>").And.Not.Contain("{version}"));
        long bytes = page.Body.Length, compressed = Get("/", "Accept-Encoding: br").Body.Length;
        Assert.That(_files, Has.Length.GreaterThan(8));
        foreach (string file in _files)
        {
            RawResponse response = Get(file);
            string type = Path.GetExtension(file) switch { ".js" => "text/javascript; charset=utf-8", ".css" => "text/css; charset=utf-8", _ => "image/svg+xml" };
            Assert.That((response.Status, response.Field("Content-Type"), response.Field("Cache-Control")), Is.EqualTo((200, type, "public, max-age=31536000, immutable")), file);
            bytes += response.Body.Length;
            compressed += Get(file, "Accept-Encoding: br").Body.Length;
        }
        Assert.That((bytes, compressed), Is.LessThan((67_000L, 21_500L)));
    }

    /// <summary>What is served lacks comments and indentation, line by line.</summary>
    [Test]
    public void No_line_of_a_script_or_style_goes_on_in_a_text_or_has_a_comment_behind_it()
    {
        foreach (string file in Directory.GetFiles(Path.Combine(Repository.Root, "Turbo.Server/Web")))
        {
            // Markdown's patterns have backticks in them.
            bool hasBackticks = Path.GetFileName(file) == "markdown.js";
            foreach (string line in File.ReadLines(file))
            {
                Assert.That(hasBackticks || line.Count(static c => c == '`') % 2 == 0, $"{file}: {line}");
                Assert.That(line.Contains("/*", StringComparison.Ordinal) && !line.TrimStart().StartsWith("/*", StringComparison.Ordinal), Is.False, $"{file}: {line}");
            }
        }
    }

    [Test]
    public void Every_file_that_a_script_imports_is_there()
    {
        foreach (string file in _files.Where(static file => file.EndsWith(".js", StringComparison.Ordinal)))
        {
            string folder = file[..(file.LastIndexOf('/') + 1)];
            foreach (Match import in Imports().Matches(Get(file).Text)) Assert.That(_files, Does.Contain(folder + import.Groups[1].Value), file);
        }
    }

    [Test]
    public void No_script_nor_style_is_allowed_but_its_own()
    {
        foreach (string target in (string[])["/", .. _files])
        {
            foreach (string condition in (string[])["X: y", $"If-None-Match: *"])
            {
                RawResponse response = Get(target, condition);
                Assert.That(response.Field("Content-Security-Policy"), Does.StartWith(
                    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"));
                Assert.That((response.Field("X-Content-Type-Options"), response.Field("Referrer-Policy")), Is.EqualTo(("nosniff", "no-referrer")));
            }
        }
        Assert.That(Get("/").Text, Does.Not.Match("(?i)<style|style=|<script(?![^>]*src=)|\\son[a-z]+="));
    }

    [TestCase("", null)]
    [TestCase("Accept-Encoding: gzip, deflate, br, zstd", "br")]
    [TestCase("Accept-Encoding: gzip, deflate", "gzip")]
    [TestCase("Accept-Encoding: GZIP;Q=1.0", "gzip")]
    [TestCase("Accept-Encoding: x-gzip", "gzip")]
    [TestCase("Accept-Encoding: br;q=0.1, gzip;q=0.2", "gzip")]
    [TestCase("Accept-Encoding: br ; q=0.5 , gzip;q=0.5", "br")]
    [TestCase("Accept-Encoding: br;q=0, gzip;q=0", null)]
    [TestCase("Accept-Encoding: gzip;q=0.5, identity", null)]
    [TestCase("Accept-Encoding: *", "br")]
    [TestCase("Accept-Encoding: *, br;q=0", "gzip")]
    [TestCase("Accept-Encoding: identity;q=0, *;q=0", null)]
    [TestCase("Accept-Encoding: zstd", null)]
    [TestCase("Accept-Encoding: br;q=2", null)]
    [TestCase("Accept-Encoding: br;q=", null)]
    [TestCase("Accept-Encoding: br;level=1", null)]
    [TestCase("Accept-Encoding: ,,", null)]
    [TestCase("Accept-Encoding: gzip\r\nAccept-Encoding: br", "br")]
    public void It_comes_in_the_coding_that_is_asked_for(string fields, string? coding)
    {
        foreach (string target in (string[])["/", _files.Single(static file => file.EndsWith("/app.js", StringComparison.Ordinal))])
        {
            RawResponse plain = Get(target), response = Get(target, fields);
            Assert.That(response.Field("Content-Encoding"), Is.EqualTo(coding));
            Assert.That(response.Fields("Vary"), Does.Contain("Accept-Encoding"));
            Assert.That(Decoded(response), Is.EqualTo(plain.Body));
            // Another representation, so another strong entity-tag.
            Assert.That(response.Field("ETag"), coding is null ? Is.EqualTo(plain.Field("ETag")) : Is.Not.EqualTo(plain.Field("ETag")));
            Assert.That(response.Field("ETag"), Does.Match("^\"[0-9a-z-]+\"$"));

            RawResponse head = Exchange("HEAD", target, fields);
            Assert.That((head.Status, head.Body.Length), Is.EqualTo((200, 0)));
            Assert.That((head.Field("Content-Length"), head.Field("ETag")), Is.EqualTo((response.Field("Content-Length"), response.Field("ETag"))));
        }
    }

    [TestCase("{0}", 304)]
    [TestCase("W/{0}", 304)]
    [TestCase("\"x\", {0}", 304)]
    [TestCase("\"x\"\r\nIf-None-Match: {0}", 304)]
    [TestCase("*", 304)]
    [TestCase("\"x\"", 200)]
    [TestCase("", 200)]
    public void Who_has_it_gets_304(string tags, int status)
    {
        foreach (string coding in (string[])["identity", "gzip", "br"])
        {
            string tag = Get("/", $"Accept-Encoding: {coding}").Field("ETag")!;
            RawResponse response = Get("/", $"Accept-Encoding: {coding}\r\nIf-None-Match: {tags.Replace("{0}", tag)}");
            Assert.That((response.Status, response.Field("ETag"), response.Field("Cache-Control")), Is.EqualTo((status, tag, "no-cache")));
            if (status == 200) continue;
            Assert.That((response.Body.Length, response.Field("Content-Type")), Is.EqualTo((0, (string?)null)));
            // One of another coding is none of this.
            string other = Get("/", coding == "br" ? "" : "Accept-Encoding: br").Field("ETag")!;
            if (tags.Contains("{0}")) Assert.That(Get("/", $"Accept-Encoding: {coding}\r\nIf-None-Match: {other}").Status, Is.EqualTo(200));
        }
    }

    [Test]
    public void A_file_under_another_version_is_what_it_is_here_and_is_not_kept()
    {
        string file = _files.Single(static file => file.EndsWith("/app.js", StringComparison.Ordinal));
        RawResponse response = Get("/web/0123456789abcdef/app.js");
        Assert.That((response.Status, response.Field("Cache-Control"), response.Text), Is.EqualTo((200, "no-cache", Get(file).Text)));
        foreach (string target in (string[])["/web/", "/web/app.js", "/web//none.js", "/web/x/index.html", "/web/x/../app.js", $"/web/x/{new string('a', 300)}", "/web"])
            Assert.That(Get(target).Status, Is.EqualTo(404), target);
        Assert.That((Exchange("POST", "/").Status, Exchange("POST", "/").Field("Allow")), Is.EqualTo((405, "GET, HEAD")));
    }

    private RawResponse Get(string target, string fields = "") => Exchange("GET", target, fields);

    private RawResponse Exchange(string method, string target, string fields = "")
    {
        using RawClient client = _app.Connect();
        return client.Exchange($"{method} {target} HTTP/1.1\r\nHost: x\r\n{(fields.Length > 0 ? fields + "\r\n" : "")}\r\n", isHead: method == "HEAD");
    }

    private static byte[] Decoded(RawResponse response)
    {
        using MemoryStream body = new(response.Body);
        using Stream content = response.Field("Content-Encoding") switch { "br" => new BrotliStream(body, CompressionMode.Decompress), "gzip" => new GZipStream(body, CompressionMode.Decompress), _ => body };
        using MemoryStream decoded = new();
        content.CopyTo(decoded);
        return decoded.ToArray();
    }

    [GeneratedRegex("/web/[0-9a-f]{16}/[a-z]+\\.(js|css|svg)")]
    private static partial Regex FileNames();

    [GeneratedRegex("from '\\./([a-z]+\\.js)'")]
    private static partial Regex Imports();
}
