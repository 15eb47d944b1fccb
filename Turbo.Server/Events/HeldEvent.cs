using Turbo.Server.Model;

namespace Turbo.Server.Events;

/// <summary>
/// The event row of a request that is answered before all is known that the row is to tell: a prompt whose reply comes
/// later. Two fill it, and whoever is done last hands it in. As many are held as replies are coming.
/// </summary>
internal sealed class HeldEvent
{
    private readonly EventWriter _events;
    private readonly EventRow _row;
    private int _holders = 2;

    public HeldEvent(EventWriter events, EventRow row)
    {
        _events = events;
        _row = row;
        events.BeginHold();
    }

    /// <summary>The row; each of the two sets fields of its own, and none after its <see cref="Release"/>.</summary>
    public EventRow Row => _row;

    public void Release()
    {
        if (Interlocked.Decrement(ref _holders) != 0) return;
        _events.Submit(_row);
        _events.EndHold();
    }
}
