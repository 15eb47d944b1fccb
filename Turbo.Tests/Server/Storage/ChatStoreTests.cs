using Turbo.Server.Model;
using Turbo.Server.Storage;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Storage;

/// <summary>Contract section 6, below the routes: who may do what to a chat, and its users.</summary>
internal sealed class ChatStoreTests(DatabaseKind kind) : StoreFixture(kind)
{
    private User _ann = null!, _bob = null!, _eve = null!;
    private Chat _chat = null!;

    private IChatStore Chats => Db.Chats;

    [SetUp]
    public async Task MakeChat()
    {
        _ann = await UserAsync("ann");
        _bob = await UserAsync("bob");
        _eve = await UserAsync("eve");
        _chat = (await Chats.CreateAsync(new NewChat("general", "gpt-3", _ann.Id, null)))!;
        Tick();
        await Chats.AddUserAsync(_chat.Id, _ann.Id, _bob.Id);
    }

    [Test]
    public async Task A_chat_is_in_its_owners_first_group_or_in_the_one_named()
    {
        Assert.That((_chat.Name, _chat.Model, _chat.UserId, _chat.GroupId), Is.EqualTo(("general", "gpt-3", _ann.Id, _ann.Groups[0].Id)));
        Group team = (await Db.Groups.CreateAsync("team", "", _bob.Id, [_ann.Id])).Group!;
        Assert.That((await Chats.CreateAsync(new NewChat("x", "m", _ann.Id, team.Id)))!.GroupId, Is.EqualTo(team.Id));
        Assert.That(await Chats.CreateAsync(new NewChat("x", "m", _eve.Id, team.Id)), Is.Null);
        Assert.That(await Chats.CreateAsync(new NewChat("x", "m", _ann.Id, "no such")), Is.Null);
        Assert.That(await Chats.OfUserAsync(_eve.Id), Is.Empty);
    }

    [Test]
    public async Task The_owner_is_a_user_of_the_chat_as_the_Go_program_has_it() =>
        Assert.That(await Database.CountAsync($"SELECT count(*) FROM chat_users WHERE chat_id = '{_chat.Id}' AND user_id = '{_ann.Id}' AND deleted_at IS NULL"), Is.EqualTo(1));

    [Test]
    public async Task Owner_and_users_read_and_nobody_else()
    {
        foreach (string caller in new[] { _ann.Id, _bob.Id })
        {
            ChatReading reading = (await Chats.ReadAsync(_chat.Id, caller, 100))!;
            Assert.That(reading.Chat, Is.EqualTo(_chat));
            Assert.That(reading.Messages, Is.Empty);
            Assert.That(reading.Users.Select(user => (user.Username, user.DeletedAt, user.PasswordHash)), Is.EqualTo(new[] { ("ann", (DateTime?)null, ""), ("bob", null, "") }));
            Assert.That((await Chats.OpenAsync(_chat.Id, caller, 10))!.Chat, Is.EqualTo(_chat));
        }
        Assert.That(await Chats.ReadAsync(_chat.Id, _eve.Id, 100), Is.Null);
        Assert.That(await Chats.OpenAsync(_chat.Id, _eve.Id, 10), Is.Null);
        Assert.That(await Chats.RecallAsync(_chat.Id, _eve.Id, 10), Is.Null);
        Assert.That(await Chats.ReadAsync("no such", _ann.Id, 100), Is.Null);
        Assert.That((await Chats.InspectAsync(_chat.Id, 100))!.Users, Has.Count.EqualTo(2));
        Assert.That(await Chats.InspectAsync("no such", 100), Is.Null);
    }

    [Test]
    public async Task A_removed_user_is_listed_with_the_time_of_it_and_has_no_access()
    {
        DateTime removed = Now;
        Assert.That(await Chats.RemoveUserAsync(_chat.Id, _ann.Id, _bob.Id), Is.EqualTo(AccessStatus.Done));
        Tick();
        Assert.That(await Chats.RemoveUserAsync(_chat.Id, _ann.Id, _bob.Id), Is.EqualTo(AccessStatus.Done), "idempotent");

        Assert.That(await Chats.ReadAsync(_chat.Id, _bob.Id, 100), Is.Null);
        Assert.That(await Chats.OpenAsync(_chat.Id, _bob.Id, 10), Is.Null);
        Assert.That(await Chats.RecallAsync(_chat.Id, _bob.Id, 10), Is.Null);
        Assert.That(await Chats.OfUserAsync(_bob.Id), Is.Empty);
        IReadOnlyList<User> users = (await Chats.ReadAsync(_chat.Id, _ann.Id, 100))!.Users;
        Assert.That(users.Select(user => (user.Username, user.DeletedAt)), Is.EqualTo(new[] { ("ann", (DateTime?)null), ("bob", removed) }));
    }

    [Test]
    public async Task Adding_is_idempotent_and_brings_back_who_was_removed()
    {
        await Chats.RemoveUserAsync(_chat.Id, _ann.Id, _bob.Id);
        for (int i = 0; i < 2; i++)
            Assert.That(await Chats.AddUserAsync(_chat.Id, _ann.Id, _bob.Id), Is.EqualTo(AccessStatus.Done));
        Assert.That((await Chats.ReadAsync(_chat.Id, _bob.Id, 100))!.Users[1].DeletedAt, Is.Null);
        Assert.That(await Database.CountAsync("SELECT count(*) FROM chat_users"), Is.EqualTo(2));
    }

    [Test]
    public async Task Many_add_the_same_user_at_once()
    {
        AccessStatus[] all = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Chats.AddUserAsync(_chat.Id, _ann.Id, _eve.Id)));
        Assert.That(all, Is.All.EqualTo(AccessStatus.Done));
        Assert.That(await Database.CountAsync("SELECT count(*) FROM chat_users"), Is.EqualTo(3));
    }

    [Test]
    public async Task Only_the_owner_adds_and_removes()
    {
        Assert.That(await Chats.AddUserAsync(_chat.Id, _bob.Id, _eve.Id), Is.EqualTo(AccessStatus.Forbidden));
        Assert.That(await Chats.AddUserAsync(_chat.Id, _eve.Id, _eve.Id), Is.EqualTo(AccessStatus.NotFound));
        Assert.That(await Chats.RemoveUserAsync(_chat.Id, _bob.Id, _bob.Id), Is.EqualTo(AccessStatus.Forbidden));
        Assert.That(await Chats.RemoveUserAsync(_chat.Id, _eve.Id, _bob.Id), Is.EqualTo(AccessStatus.NotFound));
        Assert.That(await Chats.RemoveUserAsync(_chat.Id, _ann.Id, _ann.Id), Is.EqualTo(AccessStatus.Forbidden), "the owner stays");
        Assert.That(await Chats.AddUserAsync(_chat.Id, _ann.Id, "nobody"), Is.EqualTo(AccessStatus.UnknownUser));
        Assert.That(await Chats.RemoveUserAsync(_chat.Id, _ann.Id, "nobody"), Is.EqualTo(AccessStatus.UnknownUser));
        Assert.That(await Chats.RemoveUserAsync(_chat.Id, _ann.Id, _eve.Id), Is.EqualTo(AccessStatus.Done), "she was not in it");
        Assert.That((await Chats.ReadAsync(_chat.Id, _ann.Id, 1))!.Users.Select(user => user.Username), Is.EqualTo(new[] { "ann", "bob" }));
    }

    [Test]
    public async Task The_owner_updates_what_is_given()
    {
        ChatAnswer renamed = await Chats.UpdateAsync(_chat.Id, _ann.Id, "renamed", null);
        Assert.That(renamed, Is.EqualTo(new ChatAnswer(AccessStatus.Done, _chat with { Name = "renamed", UpdatedAt = Now })));
        Tick();
        ChatAnswer remodelled = await Chats.UpdateAsync(_chat.Id, _ann.Id, null, "gpt-4");
        Assert.That((await Chats.OpenAsync(_chat.Id, _bob.Id, 0))!.Chat, Is.EqualTo(remodelled.Chat));
        Assert.That((remodelled.Chat!.Name, remodelled.Chat.Model, remodelled.Chat.UpdatedAt), Is.EqualTo(("renamed", "gpt-4", Now)));
        Assert.That((await Chats.UpdateAsync(_chat.Id, _bob.Id, "x", null)).Status, Is.EqualTo(AccessStatus.Forbidden));
        Assert.That((await Chats.UpdateAsync(_chat.Id, _eve.Id, "x", null)).Status, Is.EqualTo(AccessStatus.NotFound));
    }

    [Test]
    public async Task A_deleted_chat_is_gone_and_its_rows_stay()
    {
        Assert.That(await Chats.DeleteAsync(_chat.Id, _bob.Id), Is.EqualTo(AccessStatus.Forbidden));
        Assert.That(await Chats.DeleteAsync(_chat.Id, _eve.Id), Is.EqualTo(AccessStatus.NotFound));
        Assert.That(await Chats.DeleteAsync(_chat.Id, _ann.Id), Is.EqualTo(AccessStatus.Done));
        Assert.That(await Chats.DeleteAsync(_chat.Id, _ann.Id), Is.EqualTo(AccessStatus.NotFound));
        Assert.That(await Chats.ReadAsync(_chat.Id, _ann.Id, 1), Is.Null);
        Assert.That(await Chats.OfUserAsync(_ann.Id), Is.Empty);
        Assert.That(await Chats.AddUserAsync(_chat.Id, _ann.Id, _eve.Id), Is.EqualTo(AccessStatus.NotFound));
        Assert.That(await Database.CountAsync("SELECT count(*) FROM chat_users WHERE deleted_at IS NOT NULL"), Is.EqualTo(2));
        Assert.That(await Database.CountAsync("SELECT count(*) FROM chats WHERE deleted_at IS NOT NULL"), Is.EqualTo(1));
    }

    [Test]
    public async Task The_index_has_owned_and_shared_chats_newest_update_first()
    {
        Chat second = (await Chats.CreateAsync(new NewChat("second", "m", _bob.Id, null)))!;
        Tick();
        Chat third = (await Chats.CreateAsync(new NewChat("third", "m", _bob.Id, null)))!;
        Tick();
        Assert.That((await Chats.OfUserAsync(_bob.Id)).Select(chat => chat.Id), Is.EqualTo(new[] { third.Id, second.Id, _chat.Id }));
        await Chats.UpdateAsync(second.Id, _bob.Id, "second again", null);
        Assert.That((await Chats.OfUserAsync(_bob.Id)).Select(chat => chat.Id), Is.EqualTo(new[] { second.Id, third.Id, _chat.Id }));
        Assert.That((await Chats.OfUserAsync(_ann.Id)).Select(chat => chat.Id), Is.EqualTo(new[] { _chat.Id }));
    }

    [Test]
    public async Task The_owner_is_in_the_chat_whatever_its_row_says()
    {
        await Database.RunAsync($"UPDATE chat_users SET deleted_at = '2026-01-01 00:00:00+00:00' WHERE user_id = '{_ann.Id}'");
        Assert.That((await Chats.ReadAsync(_chat.Id, _ann.Id, 1))!.Users[0].DeletedAt, Is.Null);
        await Database.RunAsync($"DELETE FROM chat_users WHERE user_id = '{_ann.Id}'");
        Assert.That((await Chats.ReadAsync(_chat.Id, _ann.Id, 1))!.Users.Select(user => user.Username), Is.EqualTo(new[] { "ann", "bob" }));
        Assert.That((await Chats.OfUserAsync(_ann.Id)).Single().Id, Is.EqualTo(_chat.Id));
    }

    [Test]
    public async Task Access_is_asked_for_together()
    {
        Assert.That(await Chats.MayReadAsync([new(_chat.Id, _eve.Id), new(_chat.Id, _ann.Id), new("no such", _ann.Id), new(_chat.Id, _bob.Id)]),
            Is.EqualTo(new[] { false, true, false, true }));
        await Chats.RemoveUserAsync(_chat.Id, _ann.Id, _bob.Id);
        Assert.That(await Chats.MayReadAsync([new(_chat.Id, _bob.Id)]), Is.EqualTo(new[] { false }));
        Assert.That(await Chats.MayReadAsync([]), Is.Empty);
    }
}
