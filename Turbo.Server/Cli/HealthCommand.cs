using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;

namespace Turbo.Server.Cli;

/// <summary>
/// `turbo health [URL]`: asks a running server whether it lives, for the health checks of containers whose image has no
/// other client. Exit code 0 when the answer is 200, else 1 and a line on stderr.
/// </summary>
internal static class HealthCommand
{
    private const string Path = "/healthz";

    private static readonly TimeSpan s_timeout = TimeSpan.FromSeconds(5);

    // "HTTP/1.1 200" and a space.
    private const int StatusBytes = 13;

    public static async Task<int> RunAsync(string[] args)
    {
        if (args.Length > 1) return Usage.Refuse("health takes one URL");
        Target target;
        if (args is [var url])
        {
            if (!TryParse(url, out target)) return Usage.Refuse($"health: {url} is not an http or https URL");
        }
        else
        {
            if (!AppOptions.TryRead(Environment.GetEnvironmentVariable, out AppOptions? options, out string? error)) return Fail(error, ExitCode.Usage);
            target = Local(options);
        }
        using CancellationTokenSource timeout = new(s_timeout);
        try
        {
            string status = await AskAsync(target, timeout.Token).ConfigureAwait(false);
            return status == "200" ? ExitCode.Ok : Fail($"turbo health: {target} answers {status}", ExitCode.Failed);
        }
        catch (OperationCanceledException)
        {
            return Fail($"turbo health: {target} does not answer within {s_timeout.TotalSeconds:0} s", ExitCode.Failed);
        }
        catch (Exception e) when (e is IOException or SocketException or System.Security.Authentication.AuthenticationException)
        {
            return Fail($"turbo health: {target}: {OptionMask.Printable(e.Message)}", ExitCode.Failed);
        }
    }

    /// <summary>The server that this environment configures, on this machine.</summary>
    internal static Target Local(AppOptions options)
    {
        ListenAddress address = options.Addresses[0];
        // Where every interface is listened on, loopback is one of them.
        string host = address.Host switch
        {
            "" or "0.0.0.0" => "127.0.0.1",
            "::" => "::1",
            string named => named,
        };
        return new Target(options.TlsCertFile.Length > 0, host, address.Port, Path);
    }

    internal static bool TryParse(string url, out Target target)
    {
        target = default;
        if (!UrlParts.TryParse(url, out UrlParts parts) || parts.Scheme is not ("http" or "https") || parts.Host.Length == 0 || parts.User is not null) return false;
        bool isTls = parts.Scheme == "https";
        string path = parts.Path.Length > 0 ? parts.Path : Path;
        target = new Target(isTls, parts.Host, parts.Port ?? (isTls ? 443 : 80), parts.Query is { } query ? $"{path}?{query}" : path);
        return true;
    }

    /// <summary>The status code; or what came instead of one.</summary>
    private static async Task<string> AskAsync(Target target, CancellationToken cancellation)
    {
        using TcpClient client = new();
        await client.ConnectAsync(target.Host, target.Port, cancellation).ConfigureAwait(false);
        Stream stream = client.GetStream();
        if (target.IsTls)
        {
            // On this machine the question is whether the server answers; its certificate names another host.
            bool isLocal = ((IPEndPoint)client.Client.RemoteEndPoint!).Address is { } peer && IPAddress.IsLoopback(peer.IsIPv4MappedToIPv6 ? peer.MapToIPv4() : peer);
            SslStream tls = new(stream);
            await tls.AuthenticateAsClientAsync(
                new SslClientAuthenticationOptions
                {
                    TargetHost = target.Host,
                    RemoteCertificateValidationCallback = isLocal ? static (_, _, _, _) => true : null,
                },
                cancellation).ConfigureAwait(false);
            stream = tls;
        }
        await using (stream.ConfigureAwait(false))
        {
            byte[] request = Encoding.ASCII.GetBytes($"GET {target.Path} HTTP/1.1\r\nHost: {target.Authority}\r\nConnection: close\r\n\r\n");
            await stream.WriteAsync(request, cancellation).ConfigureAwait(false);
            byte[] answer = new byte[StatusBytes];
            int read = await stream.ReadAtLeastAsync(answer, answer.Length, throwOnEndOfStream: false, cancellation).ConfigureAwait(false);
            string line = Encoding.Latin1.GetString(answer, 0, read);
            return line.StartsWith("HTTP/1.", StringComparison.Ordinal) && read == StatusBytes ? line[9..12] : "with something that is not HTTP/1.1";
        }
    }

    private static int Fail(string line, int code)
    {
        Console.Error.WriteLine(line);
        return code;
    }

    /// <summary>Whom to ask, and for what.</summary>
    internal readonly record struct Target(bool IsTls, string Host, int Port, string Path)
    {
        public string Authority => (Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]" : Host) + string.Create(CultureInfo.InvariantCulture, $":{Port}");

        public override string ToString() => $"{(IsTls ? "https" : "http")}://{Authority}{Path}";
    }
}
