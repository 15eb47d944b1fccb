using Turbo.Server.Cli;
using Turbo.Server.OpenApi;

namespace Turbo.Server.Api;

/// <summary><c>/openapi.json</c> and <c>/docs</c>: what the routes are, for programs and for people. Written once, when somebody asks.</summary>
internal sealed class DescriptionApi
{
    // Changes with a release or the configuration: a client that has it asks whether it still holds.
    private static readonly byte[] s_revalidate = "no-cache"u8.ToArray();

    private readonly StaticContent _openApi;
    private readonly StaticContent _docs;

    public DescriptionApi(ApiSurface surface)
    {
        _openApi = new StaticContent(() => OpenApiWriter.Write(surface, Usage.Version), "application/json", static () => "X-Content-Type-Options: nosniff\r\n");
        _docs = new StaticContent(
            () => DocsPage.Render(surface, Usage.Version), "text/html; charset=utf-8",
            // One style, known by its digest, and nothing else at all.
            static () => $"Content-Security-Policy: default-src 'none'; style-src '{DocsPage.StyleDigest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n" +
            "X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\nCross-Origin-Opener-Policy: same-origin\r\n");
    }

    public ValueTask SendOpenApiAsync(RequestContext context) => _openApi.SendAsync(context, s_revalidate);

    public ValueTask SendDocsAsync(RequestContext context) => _docs.SendAsync(context, s_revalidate);
}
