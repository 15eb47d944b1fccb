using Turbo.Server;
using Turbo.Tests.Support;

namespace Turbo.Tests.Conformance;

/// <summary>Applications of one test, on each kind of what they run on: SQLite and memory, PostgreSQL and Redis.</summary>
[TestFixture(DatabaseKind.Sqlite)]
[TestFixture(DatabaseKind.Postgres)]
internal abstract class EachKindFixture(DatabaseKind kind)
{
    protected DatabaseKind Kind { get; } = kind;

    protected Task<TestApp> StartAppAsync(Func<AppOptions, AppOptions>? change = null, TimeProvider? time = null) =>
        TestApp.StartAsync(change, time, kind: Kind);

    /// <inheritdoc cref="ProxyApp.StartAsync"/>
    protected Task<ProxyApp> StartProxyAsync(
        Action<UpstreamPeer> script, Func<AppOptions, AppOptions>? change = null, TimeProvider? time = null, string target = "") =>
        ProxyApp.StartAsync(script, change, time, target, Kind);
}
