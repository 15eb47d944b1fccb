using System.Text;
using Turbo.Net;
using Turbo.Net.Sse;

namespace Turbo.Server;

/// <summary>
/// An open event stream (WHATWG HTML §9.2). Any thread may send; events leave one after the other, each at once.
/// </summary>
public sealed class AppEventStream
{
    private static readonly TimeSpan s_commentInterval = TimeSpan.FromSeconds(15);

    private readonly Exchange _exchange;
    private readonly EventStreamWriter _writer;
    private readonly SemaphoreSlim _gate = new(1);
    private readonly CancellationTokenSource _ended;
    private readonly ITimer _timer;
    private Task _commenting = Task.CompletedTask;
    private bool _isClosed;

    internal AppEventStream(Exchange exchange, AppHost host, CancellationToken sessionEnded, byte[] fields)
    {
        _exchange = exchange;
        _writer = new EventStreamWriter(exchange, fields);
        _ended = CancellationTokenSource.CreateLinkedTokenSource(exchange.Aborted, host.Stopping, sessionEnded);
        // To HEAD there is no event to send.
        if (exchange.Method == Net.HttpMethod.Head) _ended.Cancel();
        _timer = host.Time.CreateTimer(static state => ((AppEventStream)state!).Comment(), this, s_commentInterval, s_commentInterval);
    }

    /// <summary>Cancelled when the client leaves, its session ends, or the application stops: the handler is to return.</summary>
    public CancellationToken Ended => _ended.Token;

    internal bool IsOver => _ended.IsCancellationRequested;

    /// <summary>Sends an event; waits while the client is slow. False when the stream has ended.</summary>
    /// <param name="data">Each of its lines becomes a data line.</param>
    /// <param name="name">The event's type; null leaves it <c>message</c>. No line end.</param>
    /// <param name="id">What a client that comes back sends as Last-Event-ID; null leaves it out. No line end, no NUL.</param>
    public async Task<bool> SendAsync(string data, string? name = null, string? id = null)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(data), nameBytes = Encoding.UTF8.GetBytes(name ?? ""), idBytes = Encoding.UTF8.GetBytes(id ?? "");
        await _gate.WaitAsync();
        try
        {
            ObjectDisposedException.ThrowIf(_isClosed, this);
            return !IsOver && await _writer.SendAsync(bytes, nameBytes, idBytes);
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Sends every value of a subscription as it comes, until the stream or the subscription ends.</summary>
    public async Task SendAllAsync(AppSubscription subscription)
    {
        try
        {
            while (await subscription.NextAsync(Ended) is { } value && await SendAsync(value))
            {
            }
        }
        catch (OperationCanceledException) when (IsOver)
        {
            // An end like another.
        }
        // An orderly end would say that nothing is missing.
        if (subscription.FellBehind) _exchange.Abort();
    }

    internal async Task FlushAsync()
    {
        await _gate.WaitAsync();
        try
        {
            await _writer.FlushAsync();
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>When it completes, nothing of this touches the exchange any more.</summary>
    internal async ValueTask CloseAsync()
    {
        await _timer.DisposeAsync();
        await _gate.WaitAsync();
        _isClosed = true;
        _gate.Release();
        await _commenting;
        _ended.Dispose();
    }

    // A comment that a slow client has not taken is enough.
    private void Comment()
    {
        if (_commenting.IsCompleted) _commenting = CommentAsync();
    }

    private async Task CommentAsync()
    {
        await _gate.WaitAsync();
        try
        {
            if (_isClosed || IsOver) return;
            _writer.WriteComment();
            await _writer.FlushAsync();
        }
        finally
        {
            _gate.Release();
        }
    }
}
