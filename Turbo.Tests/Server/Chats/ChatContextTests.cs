using Turbo.Server;
using Turbo.Server.Cache;
using Turbo.Server.Chats;
using Turbo.Server.Model;
using Turbo.Server.Storage;
using Turbo.Tests.Server.Storage;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Chats;

/// <summary>The context of prompts at the moments when cache and table differ.</summary>
internal sealed class ChatContextTests(DatabaseKind kind) : StoreFixture(kind)
{
    private HookedCache _cache = null!;
    private ChatContext _context = null!;
    private User _user = null!;
    private Chat _chat = null!;

    [SetUp]
    public async Task Open()
    {
        _cache = new HookedCache(new MemoryCache(1 << 20, Time));
        _context = new ChatContext(Db.Chats, _cache, AppOptions.Defaults with { ChatContext = 3 });
        _user = await UserAsync("ann");
        _chat = (await Db.Chats.CreateAsync(new NewChat("talk", "m", _user.Id, null)))!;
    }

    [Test]
    public async Task What_is_stored_between_the_read_and_the_set_is_not_lost()
    {
        await StoreAsync("one");
        _cache.BeforeSet = () => StoreAsync("two");
        Assert.That(await PromptsAsync(), Is.EqualTo("one"), "as it was when it was read");
        Assert.That(_cache.Sets, Is.EqualTo(1));
        Assert.That(await PromptsAsync(), Is.EqualTo("one two"), "the list lacks it: read again");
        Assert.That(await PromptsAsync(), Is.EqualTo("one two"));
        Assert.That(_cache.Sets, Is.EqualTo(2), "from the cache");
    }

    [Test]
    public async Task What_is_stored_right_after_the_set_adds_itself()
    {
        await StoreAsync("one");
        _cache.AfterSet = () => StoreAsync("two");
        await PromptsAsync();
        Assert.That(await PromptsAsync(), Is.EqualTo("one two"));
        Assert.That(_cache.Sets, Is.EqualTo(1));
    }

    [Test]
    public async Task What_a_rebuild_and_its_prompt_both_add_is_there_once()
    {
        await PromptsAsync();
        ChatMessage one = await StoreAsync("one");
        await _context.AddAsync(one);
        Assert.That(await PromptsAsync(), Is.EqualTo("one"));
        Assert.That(_cache.Sets, Is.EqualTo(1));
    }

    [Test]
    public async Task A_rebuild_that_overtakes_another_loses_nothing()
    {
        await StoreAsync("one");
        // While the first is about to set what it read, a second rebuilds, and a prompt is stored and added.
        _cache.BeforeSet = async () =>
        {
            await PromptsAsync();
            await StoreAsync("two");
        };
        await PromptsAsync();
        Assert.That(await PromptsAsync(), Is.EqualTo("one two"));
        Assert.That(await PromptsAsync(), Is.EqualTo("one two"));
        Assert.That(_cache.Sets, Is.EqualTo(3));
    }

    [Test]
    public async Task A_list_that_lacks_the_newest_exchange_is_not_used()
    {
        await StoreAsync("one");
        await PromptsAsync();
        await AppendAsync("two");
        Assert.That(await PromptsAsync(), Is.EqualTo("one two"));
        Assert.That(_cache.Sets, Is.EqualTo(2));
    }

    [Test]
    public async Task What_was_deleted_is_gone_at_once_whichever_it_was()
    {
        List<ChatMessage> stored = [];
        for (int i = 0; i < 6; i++) stored.Add(await StoreAsync(i.ToString()));
        Assert.That(await PromptsAsync(), Is.EqualTo("3 4 5"));
        // As another program does it: nobody tells this one.
        foreach ((int deleted, string left) in new[] { (4, "2 3 5"), (5, "1 2 3"), (1, "0 2 3"), (0, "2 3"), (3, "2"), (2, "") })
        {
            await Db.Chats.DeleteMessageAsync(stored[deleted].Id);
            Assert.That(await PromptsAsync(), Is.EqualTo(left), $"without {deleted}");
        }
        Assert.That(_cache.Sets, Is.EqualTo(4), "read again only for what the list lacked");
        await StoreAsync("6");
        Assert.That(await PromptsAsync(), Is.EqualTo("6"));
        Assert.That(_cache.Sets, Is.EqualTo(4));
    }

    [Test]
    public async Task An_unreadable_item_is_rebuilt_from_the_table([Values("", "{}", "[]", "x", """{"id":1}""", """{"id":"a","bytes":"1","prompt":"p","reply":"r"}""")] string item)
    {
        await StoreAsync("one");
        await _cache.SetListAsync("context:" + _chat.Id, [System.Text.Encoding.UTF8.GetBytes(item)]);
        Assert.That(await PromptsAsync(), Is.EqualTo("one"));
    }

    [Test]
    public async Task Without_the_cache_the_table_serves()
    {
        await StoreAsync("one");
        _cache.IsAway = true;
        await StoreAsync("two");
        Assert.That(await PromptsAsync(), Is.EqualTo("one two"));
        _cache.IsAway = false;
        await PromptsAsync();
        _cache.IsAway = true;
        // Stored while the cache, which has a list, is away.
        await StoreAsync("three");
        _cache.IsAway = false;
        Assert.That(await PromptsAsync(), Is.EqualTo("one two three"));
    }

    [Test]
    public async Task Only_the_last_ones_are_kept_in_the_order_of_asking()
    {
        await PromptsAsync();
        ChatMessage slow = Message("slow");
        Tick();
        for (int i = 0; i < 12; i++)
        {
            await StoreAsync(i.ToString());
            if (i == 10) await StoreAsync(slow);
        }
        Assert.That(await PromptsAsync(), Is.EqualTo("9 10 11"));
        Assert.That(_cache.Sets, Is.EqualTo(1));
    }

    [Test]
    public async Task Off_the_record_stays_out()
    {
        await PromptsAsync();
        await StoreAsync(Message("secret") with { Otr = true });
        await StoreAsync("one");
        Assert.That(await PromptsAsync(), Is.EqualTo("one"));
        Assert.That(_cache.Sets, Is.EqualTo(1));
    }

    [Test]
    public async Task A_stranger_learns_nothing()
    {
        await StoreAsync("one");
        User stranger = await UserAsync("eve");
        for (int exchanges = 0; exchanges < 2; exchanges++) Assert.That(await _context.OpenAsync(_chat.Id, stranger.Id, exchanges), Is.Null);
        await PromptsAsync();
        for (int exchanges = 0; exchanges < 2; exchanges++) Assert.That(await _context.OpenAsync(_chat.Id, stranger.Id, exchanges), Is.Null);
    }

    private ChatMessage Message(string prompt) => new()
    {
        Id = Ids.New(), CreatedAt = Now, UpdatedAt = Now, ChatId = _chat.Id, UserId = _user.Id, Prompt = prompt, Reply = "reply", Model = "m",
    };

    private Task<ChatMessage> StoreAsync(string prompt) => StoreAsync(Message(prompt));

    private async Task<ChatMessage> StoreAsync(ChatMessage message)
    {
        Assert.That(await Db.Chats.AppendAsync(message));
        await _context.AddAsync(message);
        Tick();
        return message;
    }

    private async Task AppendAsync(string prompt) => Assert.That(await Db.Chats.AppendAsync(Message(prompt)));

    private async Task<string> PromptsAsync() =>
        string.Join(' ', (await _context.OpenAsync(_chat.Id, _user.Id, 3))!.Turns.Where(static turn => turn.Role == Turbo.Server.AiRole.User).Select(static turn => turn.Text));

    /// <summary>A cache that lets a test act around a list's making, or that is away.</summary>
    private sealed class HookedCache(ICache cache) : ICache
    {
        public Func<Task>? BeforeSet { get; set; }

        public Func<Task>? AfterSet { get; set; }

        public bool IsAway { get; set; }

        public int Sets { get; private set; }

        public async ValueTask SetListAsync(string key, IReadOnlyList<ReadOnlyMemory<byte>> items, TimeSpan? expiry = null)
        {
            Check();
            (Func<Task>? before, BeforeSet) = (BeforeSet, null);
            if (before is not null) await before();
            await cache.SetListAsync(key, items, expiry);
            Sets++;
            (Func<Task>? after, AfterSet) = (AfterSet, null);
            if (after is not null) await after();
        }

        public ValueTask<ReadOnlyMemory<byte>?> GetAsync(string key)
        {
            Check();
            return cache.GetAsync(key);
        }

        public ValueTask SetAsync(string key, ReadOnlyMemory<byte> value, TimeSpan? expiry = null)
        {
            Check();
            return cache.SetAsync(key, value, expiry);
        }

        public ValueTask<bool> DeleteAsync(string key)
        {
            Check();
            return cache.DeleteAsync(key);
        }

        public ValueTask<IReadOnlyList<ReadOnlyMemory<byte>>?> ReadListAsync(string key)
        {
            Check();
            return cache.ReadListAsync(key);
        }

        public ValueTask<bool> AppendAsync(string key, ReadOnlyMemory<byte> item, int keep)
        {
            Check();
            return cache.AppendAsync(key, item, keep);
        }

        public Task CheckAsync() => cache.CheckAsync();

        private void Check()
        {
            if (IsAway) throw new CacheException("away", new IOException());
        }
    }
}
