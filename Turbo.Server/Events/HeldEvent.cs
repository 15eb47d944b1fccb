using Turbo.Server.Model;

namespace Turbo.Server.Events;

/// <summary>
/// The event row of a request that is answered before all is known that the row is to tell: a prompt whose reply comes
/// later. Two fill it, and whoever is done last hands it in. As many are held as replies are coming.
/// </summary>
internal sealed class HeldEvent(EventWriter events, EventRow row)
{
    private int _holders = 2;

    /// <summary>The row; each of the two sets fields of its own, and none after its <see cref="Release"/>.</summary>
    public EventRow Row => row;

    public void Release()
    {
        if (Interlocked.Decrement(ref _holders) == 0) events.Submit(row);
    }
}
