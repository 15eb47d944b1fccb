using Turbo.Server.Model;
using Turbo.Server.Storage;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Storage;

internal sealed class SavedPromptStoreTests(DatabaseKind kind) : StoreFixture(kind)
{
    private User _ann = null!, _bob = null!, _eve = null!;
    private Group _team = null!;
    private SavedPrompt _own = null!, _shared = null!;

    private ISavedPromptStore Prompts => Db.SavedPrompts;

    [SetUp]
    public async Task Make()
    {
        _ann = await UserAsync("ann");
        _bob = await UserAsync("bob");
        _eve = await UserAsync("eve");
        _team = (await Db.Groups.CreateAsync("team", "", _ann.Id, [_bob.Id])).Group!;
        _own = (await Prompts.CreateAsync("own", "just mine", _bob.Id, ""))!;
        Tick();
        _shared = (await Prompts.CreateAsync("shared", "our text: {{input}}", _bob.Id, _team.Id))!;
        Tick();
    }

    [Test]
    public async Task It_is_read_as_it_was_made_by_its_owner_and_where_shared_by_the_groups_members()
    {
        Assert.That((_shared.Name, _shared.Text, _shared.UserId, _shared.GroupId), Is.EqualTo(("shared", "our text: {{input}}", _bob.Id, _team.Id)));
        foreach (User user in (User[])[_ann, _bob]) Assert.That(await Prompts.ReadAsync(_shared.Id, user.Id), Is.EqualTo(_shared));
        Assert.That(await Prompts.ReadAsync(_shared.Id, _eve.Id), Is.Null);
        Assert.That(await Prompts.ReadAsync(_own.Id, _bob.Id), Is.EqualTo(_own));
        Assert.That(await Prompts.ReadAsync(_own.Id, _ann.Id), Is.Null);
        Assert.That(await Prompts.ReadAsync("no such", _bob.Id), Is.Null);
    }

    [Test]
    public async Task It_is_shared_with_no_group_that_the_owner_is_not_in()
    {
        Assert.That(await Prompts.CreateAsync("x", "x", _eve.Id, _team.Id), Is.Null);
        Assert.That(await Prompts.CreateAsync("x", "x", _bob.Id, "no such"), Is.Null);
        Group others = (await Db.Groups.CreateAsync("others", "", _eve.Id, [])).Group!;
        Assert.That(await Prompts.UpdateAsync(_own.Id, _bob.Id, new("y", null, others.Id)), Is.EqualTo(new SavedPromptAnswer(AccessStatus.NotFound, null, IsGroupUnknown: true)));
        Assert.That(await Prompts.ReadAsync(_own.Id, _bob.Id), Is.EqualTo(_own));
        Assert.That(await Database.CountAsync("SELECT count(*) FROM prompts"), Is.EqualTo(2));
    }

    [Test]
    public async Task The_owner_changes_what_is_given()
    {
        SavedPromptAnswer renamed = await Prompts.UpdateAsync(_own.Id, _bob.Id, new("named", null, null));
        Assert.That(renamed, Is.EqualTo(new SavedPromptAnswer(AccessStatus.Done, _own with { Name = "named", UpdatedAt = Now })));
        await Prompts.UpdateAsync(_own.Id, _bob.Id, new(null, "said", _team.Id));
        Assert.That(await Prompts.ReadAsync(_own.Id, _ann.Id), Is.EqualTo(renamed.Prompt! with { Text = "said", GroupId = _team.Id }));
        await Prompts.UpdateAsync(_own.Id, _bob.Id, new(null, null, ""));
        Assert.That(await Prompts.ReadAsync(_own.Id, _ann.Id), Is.Null);
    }

    [Test]
    public async Task Update_and_delete_are_forbidden_to_members_and_unknown_to_strangers()
    {
        SavedPromptChange change = new("x", "x", "");
        Assert.That((await Prompts.UpdateAsync(_shared.Id, _ann.Id, change)).Status, Is.EqualTo(AccessStatus.Forbidden));
        Assert.That((await Prompts.UpdateAsync(_shared.Id, _eve.Id, change)).Status, Is.EqualTo(AccessStatus.NotFound));
        Assert.That(await Prompts.DeleteAsync(_shared.Id, _ann.Id), Is.EqualTo(AccessStatus.Forbidden));
        Assert.That(await Prompts.DeleteAsync(_shared.Id, _eve.Id), Is.EqualTo(AccessStatus.NotFound));
        Assert.That(await Prompts.ReadAsync(_shared.Id, _bob.Id), Is.EqualTo(_shared));
    }

    [Test]
    public async Task What_is_deleted_is_gone_and_its_row_stays()
    {
        Assert.That(await Prompts.DeleteAsync(_shared.Id, _bob.Id), Is.EqualTo(AccessStatus.Done));
        Assert.That(await Prompts.ReadAsync(_shared.Id, _bob.Id), Is.Null);
        Assert.That(await Prompts.DeleteAsync(_shared.Id, _bob.Id), Is.EqualTo(AccessStatus.NotFound));
        Assert.That(await NamesAsync(_bob), Is.EqualTo("own"));
        Assert.That(await Database.CountAsync("SELECT count(*) FROM prompts WHERE deleted_at IS NOT NULL"), Is.EqualTo(1));
    }

    [Test]
    public async Task The_index_has_what_one_may_read_the_last_changed_first()
    {
        Assert.That(await NamesAsync(_bob), Is.EqualTo("shared own"));
        Assert.That(await NamesAsync(_ann), Is.EqualTo("shared"));
        Assert.That(await NamesAsync(_eve), Is.Empty);
        await Prompts.UpdateAsync(_own.Id, _bob.Id, new("first", null, null));
        Assert.That(await NamesAsync(_bob), Is.EqualTo("first shared"));
        Assert.That(await NamesAsync(_bob, 1), Is.EqualTo("first"));
        Assert.That((await Prompts.OfUserAsync(_ann.Id, 10)).Single(), Is.EqualTo(_shared));
    }

    [Test]
    public async Task Sharing_ends_with_a_membership_the_readers_or_the_owners()
    {
        await Db.Groups.AddMembersAsync(_team.Id, _ann.Id, [_eve.Id]);
        Assert.That(await Prompts.ReadAsync(_shared.Id, _eve.Id), Is.EqualTo(_shared));
        await Db.Groups.RemoveMembersAsync(_team.Id, _ann.Id, [_eve.Id]);
        Assert.That((await Prompts.ReadAsync(_shared.Id, _eve.Id), await NamesAsync(_eve)), Is.EqualTo(((SavedPrompt?)null, "")));

        await Db.Groups.RemoveMembersAsync(_team.Id, _ann.Id, [_bob.Id]);
        Assert.That((await Prompts.ReadAsync(_shared.Id, _ann.Id), await NamesAsync(_ann)), Is.EqualTo(((SavedPrompt?)null, "")));
        Assert.That(await NamesAsync(_bob), Is.EqualTo("shared own"));
        await Db.Groups.AddMembersAsync(_team.Id, _ann.Id, [_bob.Id]);
        Assert.That(await NamesAsync(_ann), Is.EqualTo("shared"));
    }

    [Test]
    public async Task Sharing_ends_with_the_group()
    {
        await Db.Groups.DeleteAsync(_team.Id, _ann.Id);
        Assert.That((await Prompts.ReadAsync(_shared.Id, _ann.Id), await NamesAsync(_ann)), Is.EqualTo(((SavedPrompt?)null, "")));
        Assert.That(await NamesAsync(_bob), Is.EqualTo("shared own"));
    }

    [Test]
    public async Task An_owner_of_a_group_is_in_it_without_a_row_that_says_so()
    {
        await Database.RunAsync($"DELETE FROM group_members WHERE user_id = '{_ann.Id}'");
        Assert.That(await NamesAsync(_ann), Is.EqualTo("shared"));
        await Prompts.CreateAsync("anns", "x", _ann.Id, _team.Id);
        Assert.That(await NamesAsync(_bob), Is.EqualTo("anns shared own"));
    }

    private async Task<string> NamesAsync(User user, int most = 10) =>
        string.Join(' ', (await Prompts.OfUserAsync(user.Id, most)).Select(static prompt => prompt.Name));
}
