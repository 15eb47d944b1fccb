using Turbo.Server.Ai;
using Turbo.Server.Cache;
using Turbo.Server.Model;
using Turbo.Server.Storage;

namespace Turbo.Server.Chats;

/// <summary>A chat that the caller may prompt, and what of it goes upstream before the prompt, oldest first.</summary>
internal sealed record ChatConversation(Chat Chat, List<ChatTurn> Turns);

/// <summary>
/// What was said in a chat, for its next prompt (contract section 6): from the cache, else rebuilt from the table. The
/// table has the last word: a cached list that lacks the chat's newest exchange is not used.
/// </summary>
internal sealed class ChatContext
{
    // A rebuild that races with a prompt may have an exchange twice in the list.
    private const int Slack = 8;

    // What was deleted by another program is forgotten by then.
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
        if (exchanges == 0) return Conversation(await _chats.OpenAsync(chatId, callerId, 0), [], 0);
        if (await ReadAsync(chatId) is { } known)
        {
            ChatOpening? opening = await _chats.OpenAsync(chatId, callerId, 1);
            if (opening is null || IsCurrent(known, opening.Exchanges)) return Conversation(opening, known, exchanges);
        }
        ChatOpening? rebuilt = await _chats.OpenAsync(chatId, callerId, _maxExchanges);
        if (rebuilt is null) return null;
        List<ChatExchange> read = [.. rebuilt.Exchanges.Select(message => ChatExchange.Of(message, _maxBytes))];
        await KeepAsync(chatId, callerId, read);
        return Conversation(rebuilt, read, exchanges);
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

    private static bool IsCurrent(List<ChatExchange> known, IReadOnlyList<ChatMessage> newest) =>
        newest.Count == 0 ? known.Count == 0 : known.Exists(exchange => exchange.Id == newest[0].Id);

    private ChatConversation? Conversation(ChatOpening? opening, List<ChatExchange> known, int exchanges)
    {
        if (opening is null) return null;
        int first = known.Count;
        for (long bytes = 0; first > 0 && known.Count - first < exchanges; first--)
        {
            bytes += known[first - 1].Bytes;
            if (bytes > _maxBytes) break;
        }
        List<ChatTurn> turns = new(2 * (known.Count - first) + 1);
        for (int i = first; i < known.Count; i++)
        {
            turns.Add(new ChatTurn(IsAssistant: false, known[i].Prompt));
            turns.Add(new ChatTurn(IsAssistant: true, known[i].Reply));
        }
        return new ChatConversation(opening.Chat, turns);
    }

    /// <summary>What is cached, oldest first; null where nothing is, or nothing that can be read.</summary>
    private async Task<List<ChatExchange>?> ReadAsync(string chatId)
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
        // Two prompts at once end in any order: the order of asking counts, as in the table.
        return [.. byId.Values.OrderBy(static exchange => (exchange.At, exchange.Id))];
    }

    private async Task KeepAsync(string chatId, string callerId, List<ChatExchange> read)
    {
        try
        {
            await _cache.SetListAsync(Key(chatId), [.. read.Select(static exchange => exchange.Encode())], s_expiry);
            // An exchange that was stored after the read above found no list to be added to, or one that this has
            // replaced. One stored after the read below adds itself.
            ChatOpening? again = await _chats.OpenAsync(chatId, callerId, _maxExchanges);
            if (again is null) return;
            foreach (ChatMessage message in again.Exchanges)
            {
                if (!read.Exists(exchange => exchange.Id == message.Id)) await AddAsync(message);
            }
        }
        catch (CacheException)
        {
            // As if nothing could be cached: the next prompt reads the table again.
        }
    }
}
