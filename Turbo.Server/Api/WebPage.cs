using System.Collections.Frozen;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;

namespace Turbo.Server.Api;

/// <summary>
/// The web page at <c>/</c>: the files of the folder Web, which are part of the program. The page names its scripts and
/// styles under a path with a version in it, the digest of all of them, so these are kept by browsers for good while the
/// page itself is asked for anew each time.
/// </summary>
internal sealed class WebPage
{
    /// <summary>Below it lie the files that the page is made of.</summary>
    private const string Folder = "/web/";

    private const string ResourcePrefix = "web/";

    // Nothing from elsewhere, nothing written into the page, and no text that becomes markup.
    private const string Fields =
        "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'\r\n" +
        "X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\nCross-Origin-Opener-Policy: same-origin\r\n";

    private static readonly byte[] s_revalidate = "no-cache"u8.ToArray();
    private static readonly byte[] s_forever = "public, max-age=31536000, immutable"u8.ToArray();

    // Made when the first client asks: a server whose page nobody opens needs neither its bytes nor, for the digest, OpenSSL.
    private readonly Lazy<Task<Files>> _files = new(static () => Task.Run(Make));

    /// <param name="Page">The page itself.</param>
    /// <param name="Version">What its files' path has of them all.</param>
    /// <param name="ByName">The files.</param>
    private sealed record Files(StaticContent Page, byte[] Version, FrozenDictionary<string, StaticContent>.AlternateLookup<ReadOnlySpan<char>> ByName);

    /// <summary><c>/</c></summary>
    public ValueTask SendPageAsync(RequestContext context)
    {
        Task<Files> making = _files.Value;
        return making.IsCompletedSuccessfully ? making.Result.Page.SendAsync(context, s_revalidate) : AwaitAsync(making);

        async ValueTask AwaitAsync(Task<Files> making) => await (await making).Page.SendAsync(context, s_revalidate);
    }

    /// <summary>
    /// <c>/web/VERSION/NAME</c>. Under another version, as a page has it that another node served while a new release is
    /// rolled out, the file is what it is here, and is not kept.
    /// </summary>
    public ValueTask SendFileAsync(RequestContext context)
    {
        Task<Files> making = _files.Value;
        return making.IsCompletedSuccessfully ? SendFileAsync(context, making.Result) : AwaitAsync(making);

        async ValueTask AwaitAsync(Task<Files> making) => await SendFileAsync(context, await making);
    }

    private static ValueTask SendFileAsync(RequestContext context, Files files)
    {
        ReadOnlySpan<byte> rest = context.Exchange.Path[Folder.Length..];
        int end = rest.IndexOf((byte)'/');
        ReadOnlySpan<byte> name = rest[(end + 1)..];
        Span<char> chars = stackalloc char[64];
        if (end >= 0 && name.Length <= chars.Length && files.ByName.TryGetValue(chars[..Encoding.Latin1.GetChars(name, chars)], out StaticContent? file))
            return file.SendAsync(context, rest[..end].SequenceEqual(files.Version) ? s_forever : s_revalidate);
        context.Fail(ApiError.NotFound);
        return default;
    }

    private static Files Make()
    {
        Dictionary<string, byte[]> contents = Load();
        using IncrementalHash digest = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach ((string name, byte[] content) in contents.OrderBy(static one => one.Key, StringComparer.Ordinal))
        {
            digest.AppendData(Encoding.UTF8.GetBytes(name));
            digest.AppendData(content);
        }
        string version = Convert.ToHexStringLower(digest.GetHashAndReset().AsSpan(0, 8));
        if (!contents.Remove("index.html", out byte[]? page)) throw new InvalidOperationException("the program is without its page");
        return new Files(
            new StaticContent(Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(page).Replace("{version}", version)), "text/html; charset=utf-8", Fields),
            Encoding.ASCII.GetBytes(version),
            contents.ToFrozenDictionary(static one => one.Key, static one => new StaticContent(one.Value, TypeOf(one.Key), Fields), StringComparer.Ordinal)
                .GetAlternateLookup<ReadOnlySpan<char>>());
    }

    private static Dictionary<string, byte[]> Load()
    {
        Assembly program = typeof(WebPage).Assembly;
        Dictionary<string, byte[]> contents = [];
        foreach (string resource in program.GetManifestResourceNames())
        {
            if (!resource.StartsWith(ResourcePrefix, StringComparison.Ordinal)) continue;
            using Stream stream = program.GetManifestResourceStream(resource)!;
            byte[] content = new byte[stream.Length];
            stream.ReadExactly(content);
            contents[resource[ResourcePrefix.Length..]] = WithoutNotes(content);
        }
        return contents;
    }

    /// <summary>
    /// Without lines that are a comment, or a part of one, and without indentation: they are for who changes the files. A
    /// text that spans lines would lose its own, so no file has one.
    /// </summary>
    private static byte[] WithoutNotes(byte[] content)
    {
        StringBuilder kept = new(content.Length);
        bool isComment = false;
        foreach (ReadOnlySpan<char> line in Encoding.UTF8.GetString(content).AsSpan().EnumerateLines())
        {
            ReadOnlySpan<char> text = line.Trim();
            isComment |= text.StartsWith("/*");
            if (!isComment && !text.IsEmpty && !text.StartsWith("//")) kept.Append(text).Append('\n');
            isComment &= !text.EndsWith("*/");
        }
        return Encoding.UTF8.GetBytes(kept.ToString());
    }

    private static string TypeOf(string name) => Path.GetExtension(name) switch
    {
        ".js" => "text/javascript; charset=utf-8",
        ".css" => "text/css; charset=utf-8",
        ".svg" => "image/svg+xml",
        string other => throw new InvalidOperationException($"no media type for {other}"),
    };
}
