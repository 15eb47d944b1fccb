using System.Net;
using Turbo.Net;
using Turbo.Net.Diagnostics;

namespace Turbo.Server.Mock;

/// <summary>What a <see cref="MockServer"/> is made with.</summary>
internal sealed record MockOptions
{
    /// <summary>Where to listen; port 0 takes a free one. Default: a free port of the IPv4 loopback.</summary>
    public IReadOnlyList<IPEndPoint> EndPoints { get; init; } = [new(IPAddress.Loopback, 0)];

    /// <summary>Between two events of a stream, where the request does not say. Default 20 ms, so that words are seen to come.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromMilliseconds(20);

    /// <summary>The clock of delays, dates and deadlines.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>Receives the server's events; null is silent.</summary>
    public IServerLog? Log { get; init; }

    /// <summary>Bytes of a JSON request. Default 4 MiB. More is answered 413.</summary>
    public int MaxJsonBytes { get; init; } = 4 * 1024 * 1024;

    /// <summary>Bytes of a multipart request, read in constant memory. Default 8 GiB. More is answered 413.</summary>
    public long MaxUploadBytes { get; init; } = 8L * 1024 * 1024 * 1024;

    /// <summary>Bytes up to which a file's content is kept for /v1/files/ID/content. Default 1 MiB; a larger one is counted and hashed only.</summary>
    public int MaxKeptBytes { get; init; } = 1024 * 1024;

    /// <summary>Files remembered. Default 64; one more takes the oldest one's place.</summary>
    public int MaxFiles { get; init; } = 64;

    /// <summary>Sees every JSON request before it is answered: what a test asserts on. Valid during the call only.</summary>
    public Action<Exchange, ReadOnlyMemory<byte>>? Observe { get; init; }
}
