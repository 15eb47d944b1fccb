using System.Net;
using System.Text;

namespace Turbo.Server;

/// <summary>
/// Where <c>/v1/*</c> goes: an origin and the path in front of a client's path, so that a request for <c>/v1/X</c>
/// becomes <see cref="PathPrefix"/> + <c>/v1/X</c>.
/// </summary>
internal sealed record UpstreamTarget
{
    public required bool IsTls { get; init; }

    /// <summary>Lower-cased name or address; an IPv6 address without brackets.</summary>
    public required string Host { get; init; }

    public required int Port { get; init; }

    /// <summary>ASCII bytes: empty, or a path that begins with a slash and does not end in one.</summary>
    public required ReadOnlyMemory<byte> PathPrefix { get; init; }

    /// <summary>Azure OpenAI: the key is sent as <c>api-key</c>.</summary>
    public required bool IsAzure { get; init; }

    /// <summary>The value of the Host field: the port is left out where it is the scheme's own (RFC 9110 §7.2).</summary>
    public string Authority
    {
        get
        {
            string host = Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]" : Host;
            return Port == (IsTls ? 443 : 80) ? host : $"{host}:{Port}";
        }
    }

    /// <summary>
    /// Takes <c>http(s)://host[:port][/prefix][/v1][/]</c>. A trailing <c>/v1</c> is dropped, however often it stands
    /// there, since the client's path brings its own. A bare Azure host gets Azure's <c>/openai</c>.
    /// </summary>
    public static bool TryParse(string text, out UpstreamTarget target)
    {
        target = null!;
        if (!UrlParts.TryParse(text, out UrlParts url)
            || url.Scheme is not ("http" or "https")
            || url.User is not null || url.Query is not null
            || url.Host.Length == 0 || url.Port == 0) return false;

        string prefix = url.Path.TrimEnd('/');
        while (prefix.EndsWith("/v1", StringComparison.Ordinal)) prefix = prefix[..^3].TrimEnd('/');
        bool isAzure = url.Host.EndsWith(".openai.azure.com", StringComparison.Ordinal);
        if (isAzure && prefix.Length == 0) prefix = "/openai";
        bool isTls = url.Scheme == "https";
        target = new UpstreamTarget
        {
            IsTls = isTls,
            Host = url.Host,
            Port = url.Port ?? (isTls ? 443 : 80),
            PathPrefix = Encoding.ASCII.GetBytes(prefix),
            IsAzure = isAzure,
        };
        return true;
    }

    /// <summary>An upstream at a loopback or other literal address, plain HTTP and no prefix: the mock's.</summary>
    public static UpstreamTarget At(IPEndPoint endpoint) => new()
    {
        IsTls = false,
        Host = endpoint.Address.ToString(),
        Port = endpoint.Port,
        PathPrefix = ReadOnlyMemory<byte>.Empty,
        IsAzure = false,
    };

    public override string ToString() => $"{(IsTls ? "https" : "http")}://{Authority}{Encoding.ASCII.GetString(PathPrefix.Span)}";
}
