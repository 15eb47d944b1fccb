using Turbo.Server.Storage.Postgres;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Storage;

/// <summary>
/// No statement of a request walks a table or the index of <c>deleted_at</c>, which holds nearly every row under NULL:
/// with plans that serve any parameter, on tables of the size of a large installation.
/// </summary>
[TestFixture]
internal sealed class PostgresPlanTests
{
    private TestDatabase _database = null!;

    [OneTimeSetUp]
    public async Task Fill()
    {
        _database = await TestDatabase.CreateAsync(DatabaseKind.Postgres);
        await (await _database.OpenAsync()).DisposeAsync();
        await _database.RunAsync("""
            INSERT INTO users (id, created_at, username) SELECT 'u' || i, now(), 'name' || i FROM generate_series(1, 20000) i;
            INSERT INTO sessions (token, user_id) SELECT 't' || i, 'u' || i FROM generate_series(1, 20000) i;
            INSERT INTO groups (id, created_at, owner_id) SELECT 'g' || i, now(), 'u' || i FROM generate_series(1, 20000) i;
            INSERT INTO group_members (group_id, user_id) SELECT 'g' || i / 5, 'u' || i * 7919 % 20000 FROM generate_series(1, 100000) i;
            INSERT INTO chats (id, updated_at, user_id) SELECT 'c' || i, now(), 'u' || i FROM generate_series(1, 20000) i;
            INSERT INTO chat_users (chat_id, user_id) SELECT 'c' || i / 5, 'u' || i * 7919 % 20000 FROM generate_series(1, 100000) i;
            INSERT INTO messages (id, created_at, chat_id, otr) SELECT 'm' || i, now() + i * interval '1s', 'c' || i % 10, i % 3 = 0 FROM generate_series(1, 30000) i;
            INSERT INTO events (id, "timestamp", user_id, status, total_tokens) SELECT 'e' || i, now() + i * interval '1s', 'u' || i % 100, 200, nullif(i % 3, 0) FROM generate_series(1, 20000) i;
            INSERT INTO prompts (id, updated_at, user_id, group_id) SELECT 'p' || i, now(), 'u' || i, 'g' || i FROM generate_series(1, 20000) i;
            ANALYZE
            """);
    }

    [OneTimeTearDown]
    public async Task Drop()
    {
        if (_database is not null) await _database.DisposeAsync();
    }

    [TestCase(PostgresUserStore.ById, "users_pkey")]
    [TestCase(PostgresUserStore.ByUsername, "turbo_users_username")]
    [TestCase(PostgresUserStore.Taken, "turbo_users_username")]
    [TestCase(PostgresUserStore.ExistsById, "users_pkey")]
    [TestCase(PostgresUserStore.UpdateFields, "users_pkey")]
    [TestCase(PostgresUserStore.SetPassword, "users_pkey")]
    [TestCase(PostgresUserStore.PasswordIs, "users_pkey")]
    [TestCase(PostgresUserStore.SessionByToken, "idx_sessions_token")]
    [TestCase(PostgresUserStore.SessionsByUser, "turbo_sessions_user")]
    [TestCase(PostgresUserStore.SessionsLive, "sessions_pkey")]
    [TestCase(PostgresUserStore.End, "sessions_pkey")]
    [TestCase(PostgresUserStore.EndOfUser, "turbo_sessions_user")]
    [TestCase(PostgresGroupStore.Of, "turbo_group_members_user")]
    [TestCase(PostgresGroupStore.Known, "groups_pkey")]
    [TestCase(PostgresGroupStore.Known, "idx_group_member_group_user")]
    [TestCase(PostgresGroupStore.Locked, "groups_pkey")]
    [TestCase(PostgresGroupStore.Members, "idx_group_member_group_user")]
    [TestCase(PostgresGroupStore.FirstUnknown, "users_pkey")]
    [TestCase(PostgresGroupStore.FirstUnknownLeaver, "users_pkey")]
    [TestCase(PostgresGroupStore.Rejoin, "idx_group_member_group_user")]
    [TestCase(PostgresGroupStore.InsertMembers, "idx_group_member_group_user")]
    [TestCase(PostgresGroupStore.Leave, "idx_group_member_group_user")]
    [TestCase(PostgresGroupStore.DeleteMembers, "idx_group_member_group_user")]
    [TestCase(PostgresGroupStore.AreMembers, "groups_pkey")]
    [TestCase(PostgresGroupStore.UpdateFields, "groups_pkey")]
    [TestCase(PostgresGroupStore.Delete, "groups_pkey")]
    [TestCase(PostgresChatStore.Known, "chats_pkey")]
    [TestCase(PostgresChatStore.Known, "idx_chat_user_member")]
    [TestCase(PostgresChatStore.Locked, "chats_pkey")]
    [TestCase(PostgresChatStore.ById, "chats_pkey")]
    [TestCase(PostgresChatStore.Of, "idx_chat_user_member")]
    [TestCase(PostgresChatStore.Of, "idx_chat_user ")]
    [TestCase(PostgresChatStore.UpdateFields, "chats_pkey")]
    [TestCase(PostgresChatStore.Delete, "chats_pkey")]
    [TestCase(PostgresChatStore.Users, "turbo_chat_users_chat")]
    [TestCase(PostgresChatStore.Leave, "idx_chat_user_member")]
    [TestCase(PostgresChatStore.DeleteUsers, "turbo_chat_users_chat")]
    [TestCase(PostgresChatStore.MayRead, "chats_pkey")]
    [TestCase(PostgresChatStore.Append, "chats_pkey")]
    [TestCase(PostgresChatStore.LastMessages, "turbo_messages_chat")]
    [TestCase(PostgresChatStore.LastExchanges, "turbo_messages_context")]
    [TestCase(PostgresChatStore.LastExchangeIds, "Index Only Scan Backward using turbo_messages_context")]
    [TestCase(PostgresChatStore.DeleteMessage, "messages_pkey")]
    [TestCase(PostgresSavedPromptStore.Known, "prompts_pkey")]
    [TestCase(PostgresSavedPromptStore.Locked, "prompts_pkey")]
    [TestCase(PostgresSavedPromptStore.Of, "turbo_prompts_user")]
    [TestCase(PostgresSavedPromptStore.Of, "turbo_prompts_group")]
    [TestCase(PostgresSavedPromptStore.UpdateFields, "prompts_pkey")]
    [TestCase(PostgresSavedPromptStore.Delete, "prompts_pkey")]
    [TestCase(PostgresEventStore.Query, "turbo_events_timestamp")]
    [TestCase(PostgresEventStore.Usage, "turbo_events_timestamp")]
    [TestCase(PostgresEventStore.Notable, "turbo_events_user")]
    [TestCase(PostgresEventStore.UsageOf, "turbo_events_user")]
    [TestCase(PostgresEventStore.DeleteOlder, "turbo_events_timestamp")]
    public async Task Statement_is_answered_by(string sql, string index)
    {
        string plan = (string)(await _database.RunAsync($$"""
            CREATE FUNCTION pg_temp.plan() RETURNS text LANGUAGE plpgsql AS $plan$
            DECLARE line text; whole text := '';
            BEGIN
                FOR line IN EXECUTE 'EXPLAIN EXECUTE asked (' || rtrim(repeat('NULL,', {{Parameters(sql)}}), ',') || ')' LOOP
                    whole := whole || line || E'\n';
                END LOOP;
                RETURN whole;
            END $plan$;
            SET plan_cache_mode = force_generic_plan;
            PREPARE asked AS {{sql}};
            SELECT pg_temp.plan()
            """))!;
        Assert.That(plan, Does.Contain(index).And.Not.Contain("Seq Scan").And.Not.Contain("deleted_at on"));
        // A chat may have 10,000 messages: the last of them are taken from the end of an index, not sorted out.
        if (sql is PostgresChatStore.LastMessages or PostgresChatStore.LastExchanges or PostgresChatStore.LastExchangeIds)
            Assert.That(plan, Does.Not.Contain("Sort"));
    }

    private static int Parameters(string sql)
    {
        int count = 0;
        while (sql.Contains($"${count + 1}", StringComparison.Ordinal)) count++;
        return count;
    }
}
