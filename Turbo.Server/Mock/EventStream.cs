using System.Text;
using System.Text.Json;
using Turbo.Net;

namespace Turbo.Server.Mock;

/// <summary>A response of server-sent events, each sent at once, paced by a timer as the request asks.</summary>
internal sealed class EventStream : IDisposable
{
    // A stream without pauses gives way to others after this many events.
    private const int Burst = 64;

    private readonly MockCall _call;
    private readonly PeriodicTimer? _timer;
    private readonly CancellationToken _aborted;
    private int _sent;

    /// <summary>Begins the response.</summary>
    public EventStream(MockCall call)
    {
        _call = call;
        ResponseWriter response = call.Exchange.Response;
        response.Start(200);
        response.Field("Content-Type"u8, "text/event-stream; charset=utf-8"u8);
        response.Field("Cache-Control"u8, "no-cache"u8);
        response.EndHeadChunked();
        TimeSpan interval = call.Pacing.Interval ?? call.Options.Interval;
        if (interval == TimeSpan.Zero) return;
        _aborted = call.Exchange.Aborted;
        _timer = new PeriodicTimer(interval, call.Options.TimeProvider);
    }

    /// <summary>Begins an event: write its data, one JSON value, then call <see cref="SendAsync()"/>.</summary>
    public Utf8JsonWriter Begin() => _call.BeginJson("data: "u8);

    /// <summary>Begins an event that has a name, in ASCII.</summary>
    public Utf8JsonWriter Begin(string name) => _call.BeginJson(Encoding.ASCII.GetBytes($"event: {name}\ndata: "));

    /// <summary>Sends the event begun.</summary>
    public ValueTask SendAsync() => SendAsync(_call.EndJson("\n\n"u8));

    /// <summary>The event that ends a stream of the completions API.</summary>
    public ValueTask SendDoneAsync() => SendAsync("data: [DONE]\n\n"u8);

    /// <summary>Waits until the next event is due.</summary>
    public async ValueTask PaceAsync()
    {
        if (_timer is not null) await _timer.WaitForNextTickAsync(_aborted).ConfigureAwait(false);
        else if (_sent % Burst == 0) await Task.Yield();
    }

    public void Dispose() => _timer?.Dispose();

    private ValueTask SendAsync(ReadOnlySpan<byte> text)
    {
        _call.Exchange.Response.Write(text);
        _call.Mock.Stats.AddEvent();
        return EndSendAsync();
    }

    private async ValueTask EndSendAsync()
    {
        await _call.FlushAsync().ConfigureAwait(false);
        if (++_sent == _call.Pacing.Break) _call.BreakOff();
    }
}
