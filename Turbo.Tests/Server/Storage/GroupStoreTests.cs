using Turbo.Server.Model;
using Turbo.Server.Storage;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Storage;

/// <summary>Contract section 5, below the routes.</summary>
internal sealed class GroupStoreTests(DatabaseKind kind) : StoreFixture(kind)
{
    private User _ann = null!, _bob = null!, _eve = null!;
    private Group _team = null!;

    private IGroupStore Groups => Db.Groups;

    [SetUp]
    public async Task MakeTeam()
    {
        _ann = await UserAsync("ann");
        _bob = await UserAsync("bob");
        _eve = await UserAsync("eve");
        _team = (await Groups.CreateAsync("team", "ours", _ann.Id, [_bob.Id])).Group!;
        Tick();
    }

    [Test]
    public async Task An_unknown_member_leaves_no_group()
    {
        long before = await Database.CountAsync("SELECT count(*) FROM group_members");
        Assert.That(await Groups.CreateAsync("other", "", _ann.Id, [_bob.Id, "nobody"]), Is.EqualTo(new GroupCreation(null, "nobody")));
        Assert.That(await Database.CountAsync("SELECT count(*) FROM groups WHERE name = 'other'"), Is.Zero);
        Assert.That(await Database.CountAsync("SELECT count(*) FROM group_members"), Is.EqualTo(before));
    }

    [Test]
    public async Task Members_named_twice_are_one()
    {
        Group group = (await Groups.CreateAsync("twice", "", _ann.Id, [_bob.Id, _bob.Id, _ann.Id])).Group!;
        Assert.That(await Database.CountAsync($"SELECT count(*) FROM group_members WHERE group_id = '{group.Id}'"), Is.EqualTo(2));
        Assert.That((await Groups.AddMembersAsync(group.Id, _ann.Id, [_eve.Id, _eve.Id])).Status, Is.EqualTo(AccessStatus.Done));
        Assert.That(await Database.CountAsync($"SELECT count(*) FROM group_members WHERE group_id = '{group.Id}'"), Is.EqualTo(3));
    }

    [Test]
    public async Task Members_read_and_nobody_else()
    {
        Assert.That(await Groups.ReadAsync(_team.Id, _ann.Id), Is.EqualTo(_team));
        Assert.That(await Groups.ReadAsync(_team.Id, _bob.Id), Is.EqualTo(_team));
        Assert.That(await Groups.ReadAsync(_team.Id, _eve.Id), Is.Null);
        Assert.That(await Groups.ReadAsync("no such", _ann.Id), Is.Null);
        Assert.That((_team.Name, _team.Description, _team.OwnerId), Is.EqualTo(("team", "ours", _ann.Id)));
    }

    [Test]
    public async Task The_index_has_the_callers_groups_oldest_first()
    {
        Assert.That((await Groups.OfUserAsync(_bob.Id)).Select(group => group.Name), Is.EqualTo(new[] { "Personal", "team" }));
        Assert.That((await Groups.OfUserAsync(_eve.Id)).Select(group => group.Name), Is.EqualTo(new[] { "Personal" }));
        Assert.That((await Groups.OfUserAsync(_bob.Id))[1], Is.EqualTo(_team));
    }

    [Test]
    public async Task The_owner_updates_what_is_given()
    {
        GroupAnswer renamed = await Groups.UpdateAsync(_team.Id, _ann.Id, "crew", null);
        Assert.That(renamed, Is.EqualTo(new GroupAnswer(AccessStatus.Done, _team with { Name = "crew", UpdatedAt = Now })));
        Tick();
        GroupAnswer described = await Groups.UpdateAsync(_team.Id, _ann.Id, null, "");
        Assert.That(await Groups.ReadAsync(_team.Id, _bob.Id), Is.EqualTo(described.Group));
        Assert.That((described.Group!.Name, described.Group.Description, described.Group.UpdatedAt), Is.EqualTo(("crew", "", Now)));
    }

    [Test]
    public async Task Update_and_delete_are_forbidden_to_members_and_unknown_to_strangers()
    {
        Assert.That((await Groups.UpdateAsync(_team.Id, _bob.Id, "x", null)).Status, Is.EqualTo(AccessStatus.Forbidden));
        Assert.That((await Groups.UpdateAsync(_team.Id, _eve.Id, "x", null)).Status, Is.EqualTo(AccessStatus.NotFound));
        Assert.That((await Groups.UpdateAsync("no such", _ann.Id, "x", null)).Status, Is.EqualTo(AccessStatus.NotFound));
        Assert.That((await Groups.DeleteAsync(_team.Id, _bob.Id)).Status, Is.EqualTo(AccessStatus.Forbidden));
        Assert.That((await Groups.DeleteAsync(_team.Id, _eve.Id)).Status, Is.EqualTo(AccessStatus.NotFound));
        Assert.That(await Groups.ReadAsync(_team.Id, _ann.Id), Is.EqualTo(_team));
    }

    [Test]
    public async Task A_deleted_group_is_gone_with_its_memberships_and_its_rows_stay()
    {
        GroupAnswer deleted = await Groups.DeleteAsync(_team.Id, _ann.Id);
        Assert.That(deleted, Is.EqualTo(new GroupAnswer(AccessStatus.Done, _team with { DeletedAt = Now })));
        Assert.That(await Groups.ReadAsync(_team.Id, _ann.Id), Is.Null);
        Assert.That(await Groups.MembersAsync(_team.Id, _ann.Id), Is.Null);
        Assert.That((await Groups.DeleteAsync(_team.Id, _ann.Id)).Status, Is.EqualTo(AccessStatus.NotFound));
        Assert.That((await Groups.AddMembersAsync(_team.Id, _ann.Id, [_eve.Id])).Status, Is.EqualTo(AccessStatus.NotFound));
        Assert.That((await Groups.OfUserAsync(_bob.Id)).Select(group => group.Name), Is.EqualTo(new[] { "Personal" }));
        Assert.That(await Database.CountAsync($"SELECT count(*) FROM group_members WHERE group_id = '{_team.Id}' AND deleted_at IS NOT NULL"), Is.EqualTo(2));
        Assert.That(await Database.CountAsync("SELECT count(*) FROM groups WHERE deleted_at IS NOT NULL"), Is.EqualTo(1));
    }

    [Test]
    public async Task Members_are_listed_to_members_without_their_secrets()
    {
        IReadOnlyList<User> members = (await Groups.MembersAsync(_team.Id, _bob.Id))!;
        Assert.That(members.Select(user => user.Username), Is.EqualTo(new[] { "ann", "bob" }));
        Assert.That(members.Select(user => user.PasswordHash), Is.All.Empty);
        Assert.That(await Groups.MembersAsync(_team.Id, _eve.Id), Is.Null);
    }

    [Test]
    public async Task Adding_is_idempotent_and_brings_back_who_left()
    {
        for (int i = 0; i < 2; i++)
            Assert.That(await Groups.AddMembersAsync(_team.Id, _ann.Id, [_bob.Id, _eve.Id]), Is.EqualTo(new MemberChange(AccessStatus.Done, null)));
        Assert.That(await Groups.RemoveMembersAsync(_team.Id, _eve.Id, [_eve.Id]), Is.EqualTo(new MemberChange(AccessStatus.Done, null)));
        Assert.That(await Groups.IsMemberAsync(_team.Id, _eve.Id), Is.False);
        Assert.That((await Groups.AddMembersAsync(_team.Id, _ann.Id, [_eve.Id])).Status, Is.EqualTo(AccessStatus.Done));
        Assert.That(await Groups.IsMemberAsync(_team.Id, _eve.Id));
        Assert.That(await Database.CountAsync($"SELECT count(*) FROM group_members WHERE group_id = '{_team.Id}'"), Is.EqualTo(3));
    }

    [Test]
    public async Task An_unknown_user_leaves_the_members_as_they_were()
    {
        Assert.That(await Groups.AddMembersAsync(_team.Id, _ann.Id, [_eve.Id, "nobody"]), Is.EqualTo(new MemberChange(AccessStatus.UnknownUser, "nobody")));
        Assert.That(await Groups.IsMemberAsync(_team.Id, _eve.Id), Is.False);
        Assert.That(await Groups.RemoveMembersAsync(_team.Id, _ann.Id, [_bob.Id, "nobody"]), Is.EqualTo(new MemberChange(AccessStatus.UnknownUser, "nobody")));
        Assert.That(await Groups.IsMemberAsync(_team.Id, _bob.Id));
    }

    [Test]
    public async Task Only_the_owner_adds()
    {
        Assert.That((await Groups.AddMembersAsync(_team.Id, _bob.Id, [_eve.Id])).Status, Is.EqualTo(AccessStatus.Forbidden));
        Assert.That((await Groups.AddMembersAsync(_team.Id, _eve.Id, [_eve.Id])).Status, Is.EqualTo(AccessStatus.NotFound));
        Assert.That(await Groups.IsMemberAsync(_team.Id, _eve.Id), Is.False);
    }

    [Test]
    public async Task The_owner_removes_any_but_the_owner_and_a_member_itself_alone()
    {
        await Groups.AddMembersAsync(_team.Id, _ann.Id, [_eve.Id]);
        Assert.That((await Groups.RemoveMembersAsync(_team.Id, _bob.Id, [_bob.Id, _eve.Id])).Status, Is.EqualTo(AccessStatus.Forbidden));
        Assert.That((await Groups.RemoveMembersAsync(_team.Id, _ann.Id, [_bob.Id, _ann.Id])).Status, Is.EqualTo(AccessStatus.Forbidden));
        Assert.That((await Groups.RemoveMembersAsync(_team.Id, _bob.Id, [_ann.Id])).Status, Is.EqualTo(AccessStatus.Forbidden));
        Assert.That(await Groups.MembersAsync(_team.Id, _ann.Id), Has.Count.EqualTo(3));

        for (int i = 0; i < 2; i++)
            Assert.That((await Groups.RemoveMembersAsync(_team.Id, _ann.Id, [_bob.Id])).Status, Is.EqualTo(AccessStatus.Done));
        Assert.That(await Groups.ReadAsync(_team.Id, _bob.Id), Is.Null);
        Assert.That((await Groups.RemoveMembersAsync(_team.Id, _bob.Id, [_bob.Id])).Status, Is.EqualTo(AccessStatus.NotFound));
        Assert.That((await Groups.RemoveMembersAsync(_team.Id, _eve.Id, [_eve.Id])).Status, Is.EqualTo(AccessStatus.Done));
        Assert.That((await Groups.MembersAsync(_team.Id, _ann.Id))!.Single().Id, Is.EqualTo(_ann.Id));
    }

    [Test]
    public async Task A_membership_that_is_there_twice_ends_at_once()
    {
        await Database.RunAsync($"INSERT INTO group_members (id, group_id, user_id) VALUES (900, '{_team.Id}', '{_bob.Id}')");
        Assert.That(await Groups.MembersAsync(_team.Id, _ann.Id), Has.Count.EqualTo(2));
        await Groups.RemoveMembersAsync(_team.Id, _ann.Id, [_bob.Id]);
        Assert.That(await Groups.IsMemberAsync(_team.Id, _bob.Id), Is.False);
    }

    [Test]
    public async Task Many_add_the_same_user_at_once_and_there_is_one_membership()
    {
        await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Groups.AddMembersAsync(_team.Id, _ann.Id, [_eve.Id])));
        Assert.That(await Database.CountAsync($"SELECT count(*) FROM group_members WHERE group_id = '{_team.Id}' AND user_id = '{_eve.Id}'"), Is.EqualTo(1));
    }

    [Test]
    public async Task Memberships_are_asked_for_together() =>
        Assert.That(await Groups.AreMembersAsync(
            [new(_team.Id, _eve.Id), new(_team.Id, _bob.Id), new("no such", _ann.Id), new(_team.Id, _ann.Id), new(_team.Id, _bob.Id)]),
            Is.EqualTo(new[] { false, true, false, true, true }));
}
