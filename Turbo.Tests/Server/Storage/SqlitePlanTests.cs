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
    [TestCase(SqliteGroupStore.Known, "sqlite_autoindex_groups_1")]
    [TestCase(SqliteGroupStore.Known, "idx_group_member_group_user (group_id=? AND user_id=?)")]
    [TestCase(SqliteGroupStore.MemberRow, "idx_group_member_group_user (group_id=? AND user_id=?)")]
    [TestCase(SqliteGroupStore.Members, "idx_group_member_group_user (group_id=?)")]
    [TestCase(SqliteGroupStore.Rejoin, "idx_group_member_group_user (group_id=? AND user_id=?)")]
    [TestCase(SqliteGroupStore.Leave, "idx_group_member_group_user (group_id=? AND user_id=?)")]
    [TestCase(SqliteGroupStore.DeleteMembers, "idx_group_member_group_user (group_id=?)")]
    [TestCase(SqliteGroupStore.UpdateFields, "sqlite_autoindex_groups_1")]
    [TestCase(SqliteGroupStore.Delete, "sqlite_autoindex_groups_1")]
    [TestCase(SqliteChatStore.Known, "sqlite_autoindex_chats_1")]
    [TestCase(SqliteChatStore.Known, "idx_chat_user_member (user_id=? AND chat_id=?)")]
    [TestCase(SqliteChatStore.Of, "idx_chat_user (user_id=?)")]
    [TestCase(SqliteChatStore.Of, "idx_chat_user_member (user_id=?)")]
    [TestCase(SqliteChatStore.UpdateFields, "sqlite_autoindex_chats_1")]
    [TestCase(SqliteChatStore.Touch, "sqlite_autoindex_chats_1")]
    [TestCase(SqliteChatStore.Delete, "sqlite_autoindex_chats_1")]
    [TestCase(SqliteChatStore.Users, "turbo_chat_users_chat (chat_id=?)")]
    [TestCase(SqliteChatStore.Leave, "idx_chat_user_member (user_id=? AND chat_id=?)")]
    [TestCase(SqliteChatStore.DeleteUsers, "turbo_chat_users_chat (chat_id=?)")]
    [TestCase(SqliteChatStore.LastMessages, "turbo_messages_chat (chat_id=?)")]
    [TestCase(SqliteChatStore.LastExchanges, "turbo_messages_context (chat_id=?)")]
    [TestCase(SqliteChatStore.LastExchangeIds, "turbo_messages_context (chat_id=?)")]
    [TestCase(SqliteChatStore.DeleteMessage, "sqlite_autoindex_messages_1")]
    [TestCase(SqliteSavedPromptStore.Known, "sqlite_autoindex_prompts_1")]
    [TestCase(SqliteSavedPromptStore.Known, "idx_group_member_group_user (group_id=? AND user_id=?)")]
    [TestCase(SqliteSavedPromptStore.Of, "turbo_prompts_user (user_id=?)")]
    [TestCase(SqliteSavedPromptStore.Of, "turbo_prompts_group (group_id=?)")]
    [TestCase(SqliteSavedPromptStore.Of, "idx_groups_owner_id (owner_id=?)")]
    [TestCase(SqliteSavedPromptStore.UpdateFields, "sqlite_autoindex_prompts_1")]
    [TestCase(SqliteSavedPromptStore.Delete, "sqlite_autoindex_prompts_1")]
    [TestCase(SqliteEventStore.Query, "turbo_events_usage (timestamp>? AND timestamp<?)")]
    [TestCase(SqliteEventStore.Usage, "COVERING INDEX turbo_events_usage (timestamp>?)")]
    [TestCase(SqliteEventStore.Notable, "turbo_events_user (user_id=? AND timestamp<?)")]
    [TestCase(SqliteEventStore.UsageOf, "COVERING INDEX turbo_events_user (user_id=? AND timestamp>?)")]
    [TestCase(SqliteEventStore.DeleteOlder, "turbo_events_usage (timestamp<?)")]
    public void Statement_is_answered_by(string sql, string index)
    {
        using SqliteSession session = SqliteSession.Open(_folder.File("turbo.db"), new DbOptions(), readOnly: true);
        using SqliteStatement explained = session.Use("EXPLAIN QUERY PLAN " + sql);
        var plan = new List<string>();
        while (explained.Step())
            plan.Add(explained.Text(3));
        Assert.That(string.Join('\n', plan), Does.Contain(index).And.Not.Contain("SCAN").And.Not.Contain("deleted_at"));
        // A chat may have 10,000 messages: the last of them are taken from the end of an index, not sorted out.
        if (sql is SqliteChatStore.LastMessages or SqliteChatStore.LastExchanges or SqliteChatStore.LastExchangeIds)
            Assert.That(string.Join('\n', plan), Does.Not.Contain("TEMP B-TREE"));
    }
}
