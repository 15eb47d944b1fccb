using System.Net.Sockets;
using Turbo.Net.Tls;
using Turbo.Server.Redis;
using Turbo.Server.Storage;

namespace Turbo.Server.Cli;

/// <summary>Why the server did not start, as contract section 1 tells it.</summary>
/// <param name="Line">One line, secrets masked.</param>
/// <param name="ExitCode">What the process ends with.</param>
internal sealed record StartFailure(string Line, int ExitCode)
{
    /// <summary>Null for what is no failure of what the options name, but a bug.</summary>
    public static StartFailure? Of(Exception e, AppOptions options) => e switch
    {
        SocketException => new($"turbo: ADDRESS=\"{string.Join(',', options.Addresses)}\": cannot listen: {e.Message}", Cli.ExitCode.Failed),
        InvalidCertificateException bad => new(TlsPair.Line(bad), Cli.ExitCode.Usage),
        StorageException => new($"turbo: DB_ADDRESS=\"{options.Database}\": {OptionMask.Printable(e.Message)}", Cli.ExitCode.Failed),
        RedisUnavailableException => new($"turbo: REDIS_ADDRESS=\"{options.Redis}\": {OptionMask.Printable(e.Message)}", Cli.ExitCode.Failed),
        _ => null,
    };
}
