using System.Runtime.CompilerServices;
using System.Text;
using Turbo.Server.Ai;

namespace Turbo.Server;

/// <summary>
/// The model behind Turbo: chat completions from OPENAI_API_URL with the server's key. A failure is an
/// <see cref="AiException"/>, which answers as <c>/chat/prompt</c> does where a handler lets it pass.
/// </summary>
public sealed class AppAi
{
    /// <summary>The model where none is named: sent upstream as MODEL_ALIASES says.</summary>
    public const string DefaultModel = "gpt-3";

    private readonly TurboApp _app;

    internal AppAi(TurboApp app) => _app = app;

    /// <summary>The whole reply to a prompt, at most CHAT_REPLY_BYTES.</summary>
    /// <param name="prompt">What is asked.</param>
    /// <param name="user">Who asks, for the upstream's abuse detection: an opaque word, best no name.</param>
    /// <param name="model">A model or an alias of one.</param>
    /// <param name="cancellation">Ends the request upstream.</param>
    /// <exception cref="AiException">There is no reply, or no whole one.</exception>
    public Task<string> CompleteAsync(string prompt, string user, string model = DefaultModel, CancellationToken cancellation = default) =>
        CompleteAsync([new AiMessage(AiRole.User, prompt)], user, model, cancellation);

    /// <summary>The whole reply to a conversation.</summary>
    /// <param name="messages">Oldest first, the last being what is asked.</param>
    /// <param name="user">Who asks.</param>
    /// <param name="model">A model or an alias of one.</param>
    /// <param name="cancellation">Ends the request upstream.</param>
    /// <exception cref="AiException">There is no reply, or no whole one.</exception>
    public async Task<string> CompleteAsync(IReadOnlyList<AiMessage> messages, string user, string model = DefaultModel, CancellationToken cancellation = default)
    {
        Completion completion = await _app.Host.Completions.CompleteAsync(Request(messages, user, model), cancellation);
        return completion.Failure is { } failure ? throw new AiException(failure) : completion.Reply;
    }

    /// <summary>The reply to a prompt as it comes, word by word. Leaving the loop early ends the request upstream.</summary>
    /// <inheritdoc cref="CompleteAsync(string, string, string, CancellationToken)"/>
    public IAsyncEnumerable<string> StreamAsync(string prompt, string user, string model = DefaultModel, CancellationToken cancellation = default) =>
        StreamAsync([new AiMessage(AiRole.User, prompt)], user, model, cancellation);

    /// <summary>The reply to a conversation as it comes, word by word.</summary>
    /// <inheritdoc cref="CompleteAsync(IReadOnlyList{AiMessage}, string, string, CancellationToken)"/>
    public async IAsyncEnumerable<string> StreamAsync(
        IReadOnlyList<AiMessage> messages, string user, string model = DefaultModel, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        await using ChatCompletionsStream stream = await _app.Host.Completions.StreamAsync(Request(messages, user, model), cancellation);
        long bytes = 0;
        while (await stream.NextAsync() is { } word)
        {
            bytes += Encoding.UTF8.GetByteCount(word);
            if (bytes > _app.Host.Options.ChatReplyBytes) throw new AiException(ChatCompletions.TooLarge);
            yield return word;
        }
        if (stream.Failure is { } failure) throw new AiException(failure);
    }

    private static CompletionRequest Request(IReadOnlyList<AiMessage> messages, string user, string model)
    {
        if (messages.Count == 0) throw new ArgumentException("a conversation has a message", nameof(messages));
        ArgumentException.ThrowIfNullOrEmpty(model);
        return new CompletionRequest(model, messages, user);
    }
}

/// <summary>The model gave no reply, or no whole one.</summary>
public sealed class AiException : Exception
{
    internal AiException(CompletionFailure failure) : base(failure.Message) => Failure = failure;

    /// <summary>The upstream's status code, 400 to 599; 502, 503 or 504 where it gave none.</summary>
    public int Status => Failure.Status;

    /// <summary>The upstream's word for programs, or null.</summary>
    public string? Code => Failure.Code;

    /// <summary>When to try again, where the upstream said so; zero without.</summary>
    public TimeSpan RetryAfter => Failure.RetryAfter;

    internal CompletionFailure Failure { get; }
}
