using Turbo.Server.Ai;
using Turbo.Server.Cache;
using Turbo.Server.Model;
using Turbo.Server.Storage;

namespace Turbo.Server.Chats;

/// <summary>A chat that the caller may prompt, and what of it goes upstream before the prompt, oldest first.</summary>
internal sealed record ChatConversation(Chat Chat, List<AiMessage> Turns);

/// <summary>
/// What was said in a chat, for its next prompt (contract section 6): from the cache, else rebuilt from the table. The
/// table has the last word: it says which exchanges they are and in which order, and the cache saves reading their text. So
/// one that was deleted, by whatever program, is not sent on, and one that the cache missed is not missed.
/// </summary>
internal sealed class ChatContext
{
    // A rebuild that races with a prompt may have an exchange twice in the list; a deleted one stays in it.
    private const int Slack = 8;

    // What was deleted is forgotten by then.
    private static readonly TimeSpan s_expiry = TimeSpan.FromMinutes(10);

    private readonly IChatStore _chats;
    private readonly ICache _cache;
    private readonly int _maxExchanges;
    private readonly long _maxBytes;

    /// <param name="chats">The table.</param>
    /// <param name="cache">Shared by the nodes, where there are several.</param>
    /// <param name="options">CHAT_CONTEXT and CHAT_CONTEXT_BYTES.</param>
    public ChatContext(IChatStore chats, ICache cache, AppOptions options)
    {
        _chats = chats;
        _cache = cache;
        _maxExchanges = options.ChatContext;
        _maxBytes = options.ChatContextBytes;
    }

    /// <summary>The chat with its last exchanges; null where the caller may not know of it.</summary>
    /// <param name="chatId">The chat.</param>
    /// <param name="callerId">Who prompts.</param>
    /// <param name="exchanges">How many, at most CHAT_CONTEXT; those that do not fit CHAT_CONTEXT_BYTES are left out, oldest first.</param>
    public async Task<ChatConversation?> OpenAsync(string chatId, string callerId, int exchanges)
    {
        if (exchanges == 0) return await _chats.RecallAsync(chatId, callerId, 0) is { } bare ? Conversation(bare.Chat, [], 0) : null;
        if (await ReadAsync(chatId) is { } known)
        {
            if (await _chats.RecallAsync(chatId, callerId, exchanges) is not { } recall) return null;
            if (Pick(known, recall.ExchangeIds) is { } recalled) return Conversation(recall.Chat, recalled, exchanges);
        }
        if (await _chats.OpenAsync(chatId, callerId, _maxExchanges) is not { } opening) return null;
        List<ChatExchange> read = [.. opening.Exchanges.Select(message => ChatExchange.Of(message, _maxBytes))];
        await KeepAsync(chatId, read);
        return Conversation(opening.Chat, read, exchanges);
    }

    /// <summary>Adds a message to what the next prompt sees; it is stored already.</summary>
    public async Task AddAsync(ChatMessage message)
    {
        if (_maxExchanges == 0 || message.Otr) return;
        try
        {
            await _cache.AppendAsync(Key(message.ChatId), ChatExchange.Of(message, _maxBytes).Encode(), _maxExchanges + Slack);
        }
        catch (CacheException)
        {
            // The shared cache is away, which is told of elsewhere; the next prompt sees that its list is behind.
        }
    }

    private static string Key(string chatId) => "context:" + chatId;

    /// <summary>The exchanges of these ids, in that order; null where one is not known.</summary>
    private static List<ChatExchange>? Pick(Dictionary<string, ChatExchange> known, IReadOnlyList<string> ids)
    {
        List<ChatExchange> picked = new(ids.Count);
        foreach (string id in ids)
        {
            if (!known.TryGetValue(id, out ChatExchange? exchange)) return null;
            picked.Add(exchange);
        }
        return picked;
    }

    private ChatConversation Conversation(Chat chat, List<ChatExchange> known, int exchanges)
    {
        int first = known.Count;
        for (long bytes = 0; first > 0 && known.Count - first < exchanges; first--)
        {
            bytes += known[first - 1].Bytes;
            if (bytes > _maxBytes) break;
        }
        List<AiMessage> turns = new(2 * (known.Count - first) + 1);
        for (int i = first; i < known.Count; i++)
        {
            turns.Add(new AiMessage(AiRole.User, known[i].Prompt));
            turns.Add(new AiMessage(AiRole.Assistant, known[i].Reply));
        }
        return new ChatConversation(chat, turns);
    }

    /// <summary>What is cached, by id; null where nothing is, or nothing that can be read.</summary>
    private async Task<Dictionary<string, ChatExchange>?> ReadAsync(string chatId)
    {
        IReadOnlyList<ReadOnlyMemory<byte>>? items;
        try
        {
            items = await _cache.ReadListAsync(Key(chatId));
        }
        catch (CacheException)
        {
            return null;
        }
        if (items is null) return null;
        Dictionary<string, ChatExchange> byId = new(StringComparer.Ordinal);
        foreach (ReadOnlyMemory<byte> item in items)
        {
            if (ChatExchange.Decode(item.Span) is not { } exchange) return null;
            byId[exchange.Id] = exchange;
        }
        return byId;
    }

    // An exchange that is stored between the read and this is missing from the list: the next prompt sees that.
    private async Task KeepAsync(string chatId, List<ChatExchange> read)
    {
        try
        {
            await _cache.SetListAsync(Key(chatId), [.. read.Select(static exchange => exchange.Encode())], s_expiry);
        }
        catch (CacheException)
        {
            // As if nothing could be cached: the next prompt reads the table again.
        }
    }
}
