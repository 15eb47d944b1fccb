using Turbo.Tests.Support;

namespace Turbo.Tests.Server;

/// <summary>Two nodes on one PostgreSQL: what is done on one holds on the other.</summary>
[TestFixture]
internal sealed class NodesTests
{
    private TestDatabase _database = null!;
    private TestApp _one = null!, _other = null!;

    [SetUp]
    public async Task Start()
    {
        _database = await TestDatabase.CreateAsync(DatabaseKind.Postgres);
        _one = await TestApp.StartAsync(shared: _database);
        _other = await TestApp.StartAsync(shared: _database);
    }

    [TearDown]
    public async Task Stop()
    {
        if (_one is not null) await _one.DisposeAsync();
        if (_other is not null) await _other.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Test]
    public async Task A_session_of_one_is_good_on_the_other_until_it_ends_on_either()
    {
        (string token, _) = await _one.SignUpAsync("ann");
        Assert.That((await _other.GetAsync("/user/session", token)).Status, Is.EqualTo(200));
        Assert.That((await _one.GetAsync("/user/session", token)).Status, Is.EqualTo(200));

        Assert.That((await _one.PostAsync("/user/logout", token)).Status, Is.EqualTo(200));
        (await _one.GetAsync("/user/session", token)).IsError(401, "authentication_error", "invalid_session");
        await Until.DoneAsync(Task.Run(async () =>
        {
            while ((await _other.GetAsync("/user/session", token)).Status == 200) await Task.Delay(10);
        }));
    }

    [Test]
    public async Task A_name_is_given_to_one_alone()
    {
        Reply[] replies = await Task.WhenAll(Enumerable.Range(0, 8).Select(i =>
            (i % 2 == 0 ? _one : _other).FormAsync("/user/signup", "username=same&password=correct+horse")));
        Assert.That(replies.Count(reply => reply.Status == 200), Is.EqualTo(1));
        Assert.That(replies.Count(reply => reply.Status == 409), Is.EqualTo(7));
    }
}
