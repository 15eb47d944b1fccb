using Turbo.Server.Model;

namespace Turbo.Server.Storage;

/// <summary>Which events to read: newest first, at most <see cref="Limit"/> (default 1000).</summary>
internal sealed record EventQuery
{
    public string? UserId { get; init; }
    public DateTime? Since { get; init; }

    /// <summary>Only events before this one: the last of the page before.</summary>
    public EventRecord? Before { get; init; }

    public int Limit { get; init; } = 1000;
}

/// <summary>The event rows.</summary>
internal interface IEventStore
{
    /// <summary>
    /// Stores all of them or none; one that is stored already stays as it is, so a batch may be tried again. The rows
    /// are the caller's again when the task completes.
    /// </summary>
    /// <param name="rows">The rows.</param>
    /// <param name="isAtLeisure">Whether a store that works on this machine may let others have the processor first (<see cref="BackgroundThread.StandBack"/>).</param>
    Task InsertAsync(IReadOnlyList<EventRow> rows, bool isAtLeisure = false);

    Task<IReadOnlyList<EventRecord>> QueryAsync(EventQuery query);

    /// <summary>Sums over the events that carry usage, by user and model.</summary>
    Task<IReadOnlyList<UsageSum>> UsageAsync(DateTime? since);

    /// <summary>
    /// Of a user's events those that carry usage or failed, newest first, at most <paramref name="limit"/>, without the
    /// bodies; those before the user's event <paramref name="before"/> where that is given.
    /// </summary>
    Task<IReadOnlyList<EventRecord>> NotableAsync(string userId, string? before, int limit);

    /// <summary>Sums over a user's events that carry usage, by model.</summary>
    Task<IReadOnlyList<UsageSum>> UsageOfAsync(string userId, DateTime since);

    /// <summary>Deletes up to <paramref name="limit"/> events older than <paramref name="cutoff"/>; how many went.</summary>
    Task<int> DeleteOlderThanAsync(DateTime cutoff, int limit);
}
