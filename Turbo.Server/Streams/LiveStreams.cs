using System.Collections.Concurrent;
using Turbo.Net;
using Turbo.Net.Transport;
using Turbo.Net.WebSocket;
using Turbo.Server.Api;
using Turbo.Server.Auth;
using Turbo.Server.Events;

namespace Turbo.Server.Streams;

/// <summary>Every open stream, whatever it carries: one timer for all, ended together when the server stops.</summary>
internal sealed class LiveStreams : IDisposable
{
    private static readonly TimeSpan s_tick = TimeSpan.FromMilliseconds(250);

    private readonly IEventBus _bus;
    private readonly Sessions _sessions;
    private readonly AccessWatch _access;
    private readonly TimeProvider _time;
    private readonly ConcurrentDictionary<LiveStream, byte> _open = new(ReferenceEqualityComparer.Instance);
    private readonly ITimer _timer;
    private int _webSockets;
    private volatile bool _isDraining;

    /// <param name="bus">Where the messages come from.</param>
    /// <param name="sessions">Whose end ends their streams.</param>
    /// <param name="access">Ends streams whose users lose access.</param>
    /// <param name="time">The clock.</param>
    public LiveStreams(IEventBus bus, Sessions sessions, AccessWatch access, TimeProvider time)
    {
        _bus = bus;
        _sessions = sessions;
        _access = access;
        _time = time;
        _timer = time.CreateTimer(static state => ((LiveStreams)state!).Tick(), this, s_tick, s_tick);
    }

    /// <summary>Streams open now as server-sent events.</summary>
    public int EventStreams
    {
        get
        {
            int webSockets = WebSockets;
            return Math.Max(0, Count - webSockets);
        }
    }

    /// <summary>Streams open now over WebSockets.</summary>
    public int WebSockets => Volatile.Read(ref _webSockets);

    /// <summary>Streams open now.</summary>
    public int Count => _open.Count;

    /// <summary>
    /// Serves a topic to a request that has no answer yet, as a WebSocket where it asks for one, until the stream ends.
    /// </summary>
    /// <param name="context">The request.</param>
    /// <param name="topic">The bus's topic.</param>
    /// <param name="access">The access that the stream depends on; null where it is the session alone.</param>
    /// <param name="check">Whether there is that access; where not, it answers the request.</param>
    public async ValueTask ServeAsync(RequestContext context, string topic, StreamAccess? access, Func<ValueTask<bool>> check)
    {
        // Subscribed and watched before the access is checked: neither a message nor a revocation falls in between.
        using ISubscription subscription = _bus.Subscribe(topic);
        using SessionHold hold = _sessions.Hold(context.RequiredSession);
        LiveStream stream = WebSocketHandshake.IsRequested(context.Exchange)
            ? new WebSocketStream(subscription, access.GetValueOrDefault())
            : new SseStream(subscription, access.GetValueOrDefault(), Now);
        _open.TryAdd(stream, 0);
        if (stream is WebSocketStream) Interlocked.Increment(ref _webSockets);
        if (access is not null) _access.Add(stream);
        try
        {
            if (!await check()) return;
            if (_bus.IsAway)
            {
                context.Fail(ApiError.BusAway);
                return;
            }
            if (_isDraining) stream.End(StreamEnd.Draining);
            await using (hold.Session.Ended.Register(static state => ((LiveStream)state!).End(StreamEnd.SessionEnded), stream))
                await stream.RunAsync(context.Exchange);
        }
        finally
        {
            _access.Remove(stream);
            if (stream is WebSocketStream) Interlocked.Decrement(ref _webSockets);
            _open.TryRemove(stream, out _);
        }
        if (stream.Ending is StreamEnd.FellBehind) context.Event.Message.Set("the client fell behind"u8);
        else if (context.Exchange.EndReason is EndReason.Draining or EndReason.WriteTimeout) context.NoteCutOff();
    }

    /// <summary>Ends every stream when it has sent what was published, and each new one at once.</summary>
    public void Drain()
    {
        _isDraining = true;
        foreach ((LiveStream stream, _) in _open) stream.End(StreamEnd.Draining);
    }

    public void Dispose() => _timer.Dispose();

    private long Now => (long)_time.GetElapsedTime(0).TotalMilliseconds;

    private void Tick()
    {
        long now = Now;
        foreach ((LiveStream stream, _) in _open) stream.Tick(now);
    }
}
