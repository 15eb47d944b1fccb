using Turbo.Server;
using Turbo.Server.Storage;
using Turbo.Server.Storage.Sqlite;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Storage;

/// <summary>
/// No statement of a request walks a table or the index of <c>deleted_at</c>, which holds nearly every row under NULL.
/// </summary>
[TestFixture]
internal sealed class SqlitePlanTests
{
    private TempFolder _folder = null!;

    [OneTimeSetUp]
    public async Task Make()
    {
        _folder = new TempFolder();
        await (await Db.OpenAsync(new SqliteAddress(_folder.File("turbo.db")), new DbOptions(), TimeProvider.System)).DisposeAsync();
    }

    [OneTimeTearDown]
    public void Remove() => _folder.Dispose();

    [TestCase(SqliteUserStore.ById, "sqlite_autoindex_users_1")]
    [TestCase(SqliteUserStore.ByUsername, "turbo_users_username")]
    [TestCase(SqliteUserStore.Taken, "turbo_users_username")]
    [TestCase(SqliteUserStore.ExistsById, "sqlite_autoindex_users_1")]
    [TestCase(SqliteUserStore.UpdateFields, "sqlite_autoindex_users_1")]
    [TestCase(SqliteUserStore.SetPassword, "sqlite_autoindex_users_1")]
    [TestCase(SqliteUserStore.PasswordIs, "sqlite_autoindex_users_1")]
    [TestCase(SqliteUserStore.SessionByToken, "idx_sessions_token")]
    [TestCase(SqliteUserStore.SessionsByUser, "turbo_sessions_user")]
    [TestCase(SqliteUserStore.SessionLives, "SEARCH s USING INTEGER PRIMARY KEY")]
    [TestCase(SqliteUserStore.End, "USING INTEGER PRIMARY KEY")]
    [TestCase(SqliteUserStore.EndOfUser, "turbo_sessions_user")]
    [TestCase(SqliteGroupStore.Of, "turbo_group_members_user")]
    [TestCase(SqliteGroupStore.ById, "sqlite_autoindex_groups_1")]
    [TestCase(SqliteGroupStore.Member, "idx_group_member_group_user")]
    [TestCase(SqliteEventStore.Query, "turbo_events_timestamp (timestamp>? AND timestamp<?)")]
    [TestCase(SqliteEventStore.Usage, "turbo_events_timestamp (timestamp>?)")]
    [TestCase(SqliteEventStore.DeleteOlder, "turbo_events_timestamp (timestamp<?)")]
    public void Statement_is_answered_by(string sql, string index)
    {
        using SqliteSession session = SqliteSession.Open(_folder.File("turbo.db"), new DbOptions(), readOnly: true);
        using SqliteStatement explained = session.Use("EXPLAIN QUERY PLAN " + sql);
        var plan = new List<string>();
        while (explained.Step())
            plan.Add(explained.Text(3));
        Assert.That(string.Join('\n', plan), Does.Contain(index).And.Not.Contain("SCAN").And.Not.Contain("deleted_at"));
    }
}
