using Turbo.Server.Model;
using Turbo.Server.Storage;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Storage;

/// <summary>Users and sessions: what is stored at once, what is checked while it is, what comes back.</summary>
internal sealed class UserStoreTests(DatabaseKind kind) : StoreFixture(kind)
{
    private static NewUser Someone(string username) => new(username, "$2a$04$hash", "First", "", "Personal");

    private NewSession NewSession(string token) => new("sha256:" + token, Time.GetUtcNow().UtcDateTime.AddDays(365));

    [Test]
    public async Task Sign_up_stores_user_group_membership_and_session()
    {
        SignUp signUp = (await Db.Users.CreateAsync(Someone("ann"), NewSession("t")))!;

        User user = (await Db.Users.FindByUsernameAsync("ann"))!;
        Assert.That(user with { Groups = [] }, Is.EqualTo(signUp.User with { Groups = [] }));
        Assert.That(user.Groups, Is.EqualTo(signUp.User.Groups));
        Assert.That(user.Groups.Single().Name, Is.EqualTo("Personal"));
        Assert.That(await Db.Groups.IsMemberAsync(user.Groups[0].Id, user.Id));
        Assert.That(await Db.Users.FindSessionAsync("sha256:t", "t"), Is.EqualTo(signUp.Session));
        Assert.That(Guid.Parse(user.Id).Version, Is.EqualTo(4));
    }

    [Test]
    public async Task Sixty_four_sign_ups_of_one_name_have_one_winner()
    {
        SignUp?[] all = await Task.WhenAll(Enumerable.Range(0, 64)
            .Select(i => Db.Users.CreateAsync(Someone("same"), NewSession("t" + i))));

        Assert.That(all.Count(signUp => signUp is not null), Is.EqualTo(1));
        Assert.That(await Db.Users.ListAsync(null, 100), Has.Count.EqualTo(1));
        string winner = all.Single(signUp => signUp is not null)!.User.Id;
        Assert.That(await Db.Groups.OfUserAsync(winner), Has.Count.EqualTo(1));
        Assert.That(await Db.Users.SessionsOfAsync(winner), Has.Count.EqualTo(1));
    }

    [Test]
    public async Task Another_program_that_races_for_a_name_loses_too()
    {
        await using Db other = await Database.OpenAsync(Time);
        SignUp?[] all = await Task.WhenAll(Enumerable.Range(0, 32)
            .Select(i => (i % 2 == 0 ? Db : other).Users.CreateAsync(Someone("same"), null)));
        Assert.That(all.Count(signUp => signUp is not null), Is.EqualTo(1));
    }

    [Test]
    public async Task Names_are_free_text()
    {
        const string Odd = "it's \"ünïcödé\" ☃ '; DROP TABLE users; --";
        await Db.Users.CreateAsync(Someone(Odd), null);
        Assert.That((await Db.Users.FindByUsernameAsync(Odd))!.Username, Is.EqualTo(Odd));
        Assert.That(await Db.Users.FindByUsernameAsync(Odd.ToUpperInvariant()), Is.Null);
        string large = new('x', 5000);
        User user = (await Db.Users.CreateAsync(Someone("big") with { FirstName = large, LastName = "" }, null))!.User;
        User read = (await Db.Users.FindAsync(user.Id))!;
        Assert.That((read.FirstName, read.LastName), Is.EqualTo((large, "")));
    }

    [Test]
    public async Task Update_changes_what_is_given()
    {
        User user = (await Db.Users.CreateAsync(Someone("ann"), null))!.User;
        Time.Advance(TimeSpan.FromSeconds(1));

        UserUpdate update = await Db.Users.UpdateAsync(user.Id, null, "Last", null);
        Assert.That(update.Status, Is.EqualTo(UserUpdateStatus.Updated));
        Assert.That((update.User!.FirstName, update.User.LastName, update.User.Username), Is.EqualTo(("First", "Last", "ann")));
        Assert.That(update.User.UpdatedAt, Is.EqualTo(user.UpdatedAt.AddSeconds(1)));
        Assert.That(update.User.CreatedAt, Is.EqualTo(user.CreatedAt));
        Assert.That(update.User.Groups, Has.Count.EqualTo(1));

        Assert.That((await Db.Users.UpdateAsync(user.Id, "", null, "ann")).User!.FirstName, Is.Empty);
        Assert.That((await Db.Users.UpdateAsync("nobody", "x", null, null)).Status, Is.EqualTo(UserUpdateStatus.NotFound));
        await Db.Users.CreateAsync(Someone("bob"), null);
        Assert.That((await Db.Users.UpdateAsync(user.Id, null, null, "bob")).Status, Is.EqualTo(UserUpdateStatus.UsernameTaken));
        Assert.That((await Db.Users.UpdateAsync(user.Id, null, null, "eve")).User!.Username, Is.EqualTo("eve"));
        Assert.That(await Db.Users.CreateAsync(Someone("ann"), null), Is.Not.Null);
    }

    [Test]
    public async Task Changing_the_password_ends_the_other_sessions()
    {
        SignUp signUp = (await Db.Users.CreateAsync(Someone("ann"), NewSession("1")))!;
        Session second = (await Db.Users.AddSessionAsync(signUp.User, NewSession("2"), null))!;
        Session third = (await Db.Users.AddSessionAsync(signUp.User, NewSession("3"), null))!;

        IReadOnlyList<long>? ended = await Db.Users.ChangePasswordAsync(signUp.User.Id, signUp.User.PasswordHash, "new", second.Id);
        Assert.That(ended, Is.EquivalentTo(new[] { signUp.Session!.Id, third.Id }));
        Assert.That(await Db.Users.FindSessionAsync("sha256:1", "1"), Is.Null);
        Assert.That(await Db.Users.FindSessionAsync("sha256:2", "2"), Is.EqualTo(second));
        Assert.That(await Db.Users.LiveSessionsAsync([signUp.Session.Id, second.Id, third.Id, 99]), Is.EqualTo(new[] { second.Id }));

        Assert.That(await Db.Users.ChangePasswordAsync(signUp.User.Id, signUp.User.PasswordHash, "newer", null), Is.Null, "the hash is no longer that");
        Assert.That(await Db.Users.AddSessionAsync(signUp.User, NewSession("4"), null), Is.Null, "verified against the old hash");
        Assert.That(await Db.Users.ChangePasswordAsync(signUp.User.Id, null, "reset", null), Is.EqualTo(new[] { second.Id }));
        Assert.That((await Db.Users.FindAsync(signUp.User.Id))!.PasswordHash, Is.EqualTo("reset"));
    }

    [Test]
    public async Task A_session_may_bring_a_new_hash()
    {
        User user = (await Db.Users.CreateAsync(Someone("ann"), null))!.User;
        Assert.That(await Db.Users.AddSessionAsync(user, NewSession("1"), "$2a$10$stronger"), Is.Not.Null);
        Assert.That((await Db.Users.FindAsync(user.Id))!.PasswordHash, Is.EqualTo("$2a$10$stronger"));
        Assert.That(await Db.Users.AddSessionAsync(user, NewSession("2"), "$2a$10$other"), Is.Null);
    }

    [Test]
    public async Task Ended_sessions_are_not_found()
    {
        SignUp signUp = (await Db.Users.CreateAsync(Someone("ann"), NewSession("1")))!;
        Assert.That(await Db.Users.EndSessionAsync(signUp.Session!.Id));
        Assert.That(await Db.Users.EndSessionAsync(signUp.Session.Id), Is.False);
        Assert.That(await Db.Users.FindSessionAsync("sha256:1", "1"), Is.Null);
        await Db.Users.AddSessionAsync(signUp.User, NewSession("2"), null);
        Assert.That(await Db.Users.EndSessionsAsync(signUp.User.Id, null), Has.Count.EqualTo(1));
        Assert.That(await Db.Users.SessionsOfAsync(signUp.User.Id), Is.Empty);
    }

    [Test]
    public async Task The_list_goes_on_where_it_stopped()
    {
        for (int i = 0; i < 7; i++)
            await Db.Users.CreateAsync(Someone("user" + i), null);
        var seen = new List<string>();
        User? last = null;
        while (await Db.Users.ListAsync(last, 3) is { Count: > 0 } page)
        {
            seen.AddRange(page.Select(user => user.Username));
            last = page[^1];
        }
        Assert.That(seen, Is.EquivalentTo(Enumerable.Range(0, 7).Select(i => "user" + i)));
    }
}
