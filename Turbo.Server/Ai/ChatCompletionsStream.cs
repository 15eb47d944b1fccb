using System.Buffers;
using Turbo.Net.Sse;
using Turbo.Net.Upstream;

namespace Turbo.Server.Ai;

/// <summary>
/// A reply as it comes, delta by delta (the OpenAI API's streaming form). It is whole when the upstream said so, by a
/// finish reason or by [DONE]; whatever else ends it is a <see cref="Failure"/>.
/// </summary>
internal sealed class ChatCompletionsStream : IAsyncDisposable
{
    // After [DONE] the response has but its last chunk to come, which spares the next request a connection.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(1);

    private readonly EventStreamReader _events = new();
    private readonly CancellationTokenSource _cancelling;
    private readonly CancellationTokenRegistration _registration;
    private UpstreamResponse? _response;
    private ReadOnlySequence<byte> _bytes;
    private bool _isFinished;
    private bool _isOver;
    private bool _isRead;
    private CompletionUsage _usage;

    public ChatCompletionsStream(CancellationToken cancellation, TimeProvider time)
    {
        _cancelling = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
        _registration = cancellation.Register(static state => ((CancellationTokenSource)state!).Cancel(), _cancelling);
    }

    /// <summary>Why the reply is not whole; null while it comes, and where it is.</summary>
    public CompletionFailure? Failure { get; private set; }

    /// <summary>What the upstream told of the model and the tokens, so far.</summary>
    public CompletionUsage Usage => _usage;

    /// <summary>Ends the request and every read.</summary>
    internal CancellationToken Cancellation => _cancelling.Token;

    internal void Begin(UpstreamResponse response) => _response = response;

    internal void Refuse(CompletionFailure failure)
    {
        Failure = failure;
        _isOver = true;
    }

    /// <summary>The next piece of the reply, never empty; null at its end, which <see cref="Failure"/> judges.</summary>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public async ValueTask<string?> NextAsync()
    {
        while (!_isOver)
        {
            if (TakeDelta() is { } delta) return delta;
            if (!_isOver) await FillAsync();
        }
        return null;
    }

    public async ValueTask DisposeAsync()
    {
        if (_response is { } response)
        {
            if (Failure is null && _isOver && !_isRead) await DrainAsync(response);
            await response.DisposeAsync();
        }
        await _registration.DisposeAsync();
        _cancelling.Dispose();
    }

    // From what is there; null where that holds no further one.
    private string? TakeDelta()
    {
        while (true)
        {
            switch (_events.Read(ref _bytes))
            {
                case EventStreamStatus.NeedMore:
                    return null;
                case EventStreamStatus.TooLarge:
                    Refuse(ChatCompletions.TooLarge);
                    return null;
            }
            if (_events.Data.SequenceEqual("[DONE]"u8))
            {
                _isOver = true;
                return null;
            }
            if (_events.Name.SequenceEqual("error"u8) || !ChatCompletionsJson.TryReadDelta(_events.Data, out string? text, out bool isLast, ref _usage))
            {
                Refuse(ChatCompletionsJson.ReadError(_events.Data, ChatCompletions.Malformed));
                return null;
            }
            _isFinished |= isLast;
            if (!string.IsNullOrEmpty(text)) return text;
        }
    }

    private async ValueTask FillAsync()
    {
        try
        {
            _bytes = await _response!.ReadAsync();
            if (!_bytes.IsEmpty) return;
            _isRead = true;
            if (_isFinished) _isOver = true;
            else Refuse(ChatCompletions.FailureOf(RelayResult.Truncated));
        }
        catch (UpstreamException e)
        {
            // Broken off after its end was told: the reply is whole all the same.
            if (_isFinished) _isOver = _isRead = true;
            else Refuse(ChatCompletions.FailureOf(e.Result));
        }
    }

    private async ValueTask DrainAsync(UpstreamResponse response)
    {
        _cancelling.CancelAfter(s_patience);
        try
        {
            while (!(await response.ReadAsync()).IsEmpty) { }
        }
        catch (Exception e) when (e is UpstreamException or OperationCanceledException)
        {
            // The reply is whole: only the connection is lost, and disposing of the response sees to that.
        }
    }
}
