using Turbo.Tests.Fuzz.Targets;

namespace Turbo.Tests.Fuzz;

/// <summary>Every target, in the order in which scripts/fuzz runs them.</summary>
internal static class FuzzTargets
{
    public static IReadOnlyList<FuzzTarget> All { get; } =
    [
        new RequestTarget(), new ChunksTarget(), new ResponseTarget(), new FormTarget(), new EventStreamTarget(),
        new JsonTarget(), new UsageTarget(), new InflateTarget(),
        new ConnectionTarget(), new RelayTarget(), new WebSocketTarget(), new OfferTarget(),
    ];

    public static FuzzTarget Named(string name) =>
        All.FirstOrDefault(t => t.Name == name) ?? throw new ArgumentException($"no target {name}; there are {string.Join(' ', All.Select(static t => t.Name))}");
}
