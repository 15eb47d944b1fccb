using System.Buffers;
using System.Collections.Concurrent;
using System.Text;
using Turbo.Server.Ai;
using Turbo.Server.Events;
using Turbo.Server.Json;
using Turbo.Server.Model;
using Turbo.Server.Storage;
using Turbo.Server.Streams;

namespace Turbo.Server.Chats;

/// <summary>A prompt in a chat.</summary>
/// <param name="ChatId">The chat.</param>
/// <param name="UserId">Who prompts.</param>
/// <param name="Text">The prompt.</param>
/// <param name="Exchanges">Earlier exchanges to send along, at most.</param>
/// <param name="Otr">Off the record: stored and published, never sent upstream, never context.</param>
internal sealed record NewPrompt(string ChatId, string UserId, string Text, int Exchanges, bool Otr);

internal enum PromptStatus
{
    Done,
    /// <summary>There is no such chat, or none that the user may know of, or no longer.</summary>
    NotFound,
    /// <summary>The upstream gave no reply: nothing was stored.</summary>
    UpstreamFailed,
    /// <summary>CHAT_STREAMS replies are coming already.</summary>
    Busy,
    /// <summary>The server stops.</summary>
    Stopping,
}

/// <summary>The message, where the prompt was done or its reply is coming; the failure, where the upstream failed.</summary>
internal readonly record struct PromptAnswer(PromptStatus Status, ChatMessage? Message = null, CompletionFailure? Failure = null, CompletionUsage Usage = default);

/// <summary>
/// Prompting (contract sections 6 and 7): context, upstream, table, and what subscribers of the chat see. A whole message
/// is stored before it is published.
/// </summary>
internal sealed class Prompts
{
    // Of the time to stop in, what is left for replies that are cut off to be stored, and then for streams to end.
    private static readonly TimeSpan s_ending = TimeSpan.FromSeconds(2);

    private readonly Db _db;
    private readonly ChatContext _context;
    private readonly ChatCompletions _completions;
    private readonly IEventBus _bus;
    private readonly AccessWatch _access;
    private readonly AppOptions _options;
    private readonly TimeProvider _time;
    private readonly Action<string, Exception?> _report;
    private readonly ConcurrentDictionary<ComingReply, byte> _coming = new(ReferenceEqualityComparer.Instance);
    private int _places;
    private volatile bool _isStopping;

    /// <param name="db">The table, and its clock: what is answered is what is read back.</param>
    /// <param name="context">What a chat's earlier exchanges are.</param>
    /// <param name="completions">The upstream.</param>
    /// <param name="bus">Where subscribers listen.</param>
    /// <param name="access">Cuts replies off whose user loses access to the chat.</param>
    /// <param name="options">CHAT_STREAMS and CHAT_REPLY_BYTES.</param>
    /// <param name="time">The clock.</param>
    /// <param name="report">Told what failed in the background, for the log.</param>
    public Prompts(
        Db db, ChatContext context, ChatCompletions completions, IEventBus bus, AccessWatch access, AppOptions options,
        TimeProvider time, Action<string, Exception?> report)
    {
        _db = db;
        _context = context;
        _completions = completions;
        _bus = bus;
        _access = access;
        _options = options;
        _time = time;
        _report = report;
    }

    /// <summary>Replies that are coming now.</summary>
    public int ComingCount => _coming.Count;

    /// <summary>The bus's topic of a chat's messages.</summary>
    public static string Topic(string chatId) => "chat:" + chatId;

    /// <summary>Answers when the reply is there, and stored.</summary>
    /// <exception cref="OperationCanceledException">Cancelled: nothing was stored.</exception>
    public async Task<PromptAnswer> AskAsync(NewPrompt prompt, CancellationToken cancellation)
    {
        if (await _context.OpenAsync(prompt.ChatId, prompt.UserId, prompt.Otr ? 0 : prompt.Exchanges) is not { } conversation)
            return new PromptAnswer(PromptStatus.NotFound);
        ChatMessage message = NewMessage(conversation.Chat, prompt);
        CompletionUsage usage = default;
        if (!prompt.Otr)
        {
            Completion completion = await _completions.CompleteAsync(Request(conversation, message), cancellation);
            if (completion.Failure is { } failure) return new PromptAnswer(PromptStatus.UpstreamFailed, Failure: failure);
            message = message with { Reply = completion.Reply, UpdatedAt = Now };
            usage = completion.Usage;
        }
        if (!await StoreAsync(message)) return new PromptAnswer(PromptStatus.NotFound);
        Publish(message, message.Reply, partial: false);
        return new PromptAnswer(PromptStatus.Done, message, Usage: usage);
    }

    /// <summary>Answers at once; the reply comes to the chat's subscribers, and is stored when it is whole. Not for what is off the record, which has none.</summary>
    /// <param name="prompt">The prompt.</param>
    /// <param name="held">The request's event row, which takes the reply's usage, and why it broke off, before it is released.</param>
    public async Task<PromptAnswer> StartAsync(NewPrompt prompt, HeldEvent held)
    {
        bool hasStarted = false;
        try
        {
            if (Interlocked.Increment(ref _places) > _options.ChatStreams) return new PromptAnswer(PromptStatus.Busy);
            if (await _context.OpenAsync(prompt.ChatId, prompt.UserId, prompt.Exchanges) is not { } conversation)
                return new PromptAnswer(PromptStatus.NotFound);
            ChatMessage message = NewMessage(conversation.Chat, prompt);
            ComingReply coming = new(message, _access, held);
            _coming.TryAdd(coming, 0);
            // Whoever stops the server has set this before it looks at who is coming.
            if (_isStopping)
            {
                Forget(coming);
                coming.End();
                return new PromptAnswer(PromptStatus.Stopping);
            }
            hasStarted = true;
            Publish(message, "", partial: true);
            _ = Task.Run(() => RunAsync(coming, Request(conversation, message)));
            return new PromptAnswer(PromptStatus.Done, message);
        }
        finally
        {
            if (!hasStarted)
            {
                Interlocked.Decrement(ref _places);
                held.Release();
            }
        }
    }

    /// <summary>
    /// Takes no more prompts whose reply comes later, lets those that are coming finish, and cuts off what has not
    /// finished shortly before <paramref name="timeout"/>: it ends with an error.
    /// </summary>
    public async Task StopAsync(TimeSpan timeout)
    {
        _isStopping = true;
        Task all = Task.WhenAll(_coming.Keys.Select(static coming => coming.Ended));
        TimeSpan ending = timeout / 4 < s_ending ? timeout / 4 : s_ending;
        await all.WaitAsync(timeout - 2 * ending, _time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        foreach (ComingReply coming in _coming.Keys) coming.CutOff("the server stops");
        await all.WaitAsync(ending, _time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private DateTime Now => _db.Now;

    /// <summary>Never throws: subscribers are told how it ended.</summary>
    private async Task RunAsync(ComingReply coming, CompletionRequest request)
    {
        StringBuilder reply = new();
        ChatCompletionsStream? stream = null;
        string? error;
        try
        {
            stream = await _completions.StreamAsync(request, coming.Cancellation);
            error = await ReceiveAsync(coming.Message, stream, reply);
        }
        catch (OperationCanceledException) when (coming.Reason is not null)
        {
            error = coming.Reason;
        }
        catch (Exception e)
        {
            _report("receiving a streamed reply", e);
            error = "internal error";
        }
        error = await FinishAsync(coming.Message with { Reply = reply.ToString(), UpdatedAt = Now }, error);
        stream?.Usage.CopyTo(coming.Held.Row);
        if (error is not null) coming.Held.Row.Message.Set(error);
        coming.Held.Release();
        Forget(coming);
        Interlocked.Decrement(ref _places);
        coming.End();
        if (stream is not null) await stream.DisposeAsync();
    }

    /// <summary>Why the reply is not whole, or null.</summary>
    private async Task<string?> ReceiveAsync(ChatMessage message, ChatCompletionsStream stream, StringBuilder reply)
    {
        long bytes = 0;
        while (await stream.NextAsync() is { } delta)
        {
            bytes += Encoding.UTF8.GetByteCount(delta);
            if (bytes > _options.ChatReplyBytes) return ChatCompletions.TooLarge.Message;
            reply.Append(delta);
            Publish(message, delta, partial: true);
        }
        return stream.Failure?.Message;
    }

    /// <summary>Stores and publishes it; why it is not whole, or null.</summary>
    private async Task<string?> FinishAsync(ChatMessage message, string? error)
    {
        try
        {
            // Without a word of reply there is no exchange to store, unless there was to be none.
            if ((error is null || message.Reply.Length > 0) && !await StoreAsync(message)) error ??= ComingReply.NoAccess;
        }
        catch (Exception e)
        {
            _report("storing a streamed reply", e);
            error ??= "the message could not be stored";
        }
        Publish(message, message.Reply, partial: false, error);
        return error;
    }

    private void Forget(ComingReply coming)
    {
        _coming.TryRemove(coming, out _);
        coming.Dispose();
    }

    private async Task<bool> StoreAsync(ChatMessage message)
    {
        if (!await _db.Chats.AppendAsync(message)) return false;
        await _context.AddAsync(message);
        return true;
    }

    private void Publish(ChatMessage message, string reply, bool partial, string? error = null)
    {
        string topic = Topic(message.ChatId);
        if (!_bus.HasSubscribers(topic)) return;
        ArrayBufferWriter<byte> json = new(512);
        MessageJson.WriteStreamed(json, message, reply, partial, error);
        _bus.Publish(topic, json.WrittenMemory);
    }

    private ChatMessage NewMessage(Chat chat, NewPrompt prompt)
    {
        DateTime now = Now;
        return new ChatMessage
        {
            Id = Ids.New(), CreatedAt = now, UpdatedAt = now, ChatId = chat.Id, UserId = prompt.UserId, GroupId = chat.GroupId,
            Prompt = prompt.Text, Model = chat.Model, Otr = prompt.Otr,
        };
    }

    private static CompletionRequest Request(ChatConversation conversation, ChatMessage message)
    {
        conversation.Turns.Add(new AiMessage(AiRole.User, message.Prompt));
        string user = Convert.ToBase64String(Encoding.UTF8.GetBytes($"{message.UserId}-{message.ChatId}"));
        return new CompletionRequest(message.Model, conversation.Turns, user);
    }
}
