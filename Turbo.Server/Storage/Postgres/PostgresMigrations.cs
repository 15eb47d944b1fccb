using Npgsql;

namespace Turbo.Server.Storage.Postgres;

/// <summary>
/// The Go program's tables, then what Turbo adds: each step once, in order, recorded in <c>turbo_migrations</c>, all in
/// one transaction. Steps only add, so the Go program can still open the database. Nodes that start at once do this one
/// after the other; one that finds everything done locks nothing.
/// </summary>
internal static class PostgresMigrations
{
    /// <summary>The advisory lock, any number that no other program is likely to use: "turbo" in ASCII.</summary>
    private const long LockKey = 0x74_75_72_62_6f;

    private static readonly string[] s_tables =
        ["chats", "chat_users", "events", "messages", "users", "groups", "user_groups", "sessions", "group_members", "turbo_migrations"];

    // The columns, types, keys and indexes that the Go program creates, so that its own migration finds nothing to change.
    private const string GoTables = """
        CREATE TABLE IF NOT EXISTS chats (id text PRIMARY KEY, created_at timestamptz, updated_at timestamptz, deleted_at timestamptz, name text, llm text, user_id text, group_id text);
        CREATE INDEX IF NOT EXISTS idx_chats_group_id ON chats (group_id);
        CREATE INDEX IF NOT EXISTS idx_chat_user ON chats (user_id, id);
        CREATE INDEX IF NOT EXISTS idx_chats_deleted_at ON chats (deleted_at);
        CREATE TABLE IF NOT EXISTS chat_users (id bigserial PRIMARY KEY, created_at timestamptz, updated_at timestamptz, deleted_at timestamptz, chat_id text, user_id text);
        CREATE UNIQUE INDEX IF NOT EXISTS idx_chat_user_member ON chat_users (user_id, chat_id);
        CREATE INDEX IF NOT EXISTS idx_chat_users_deleted_at ON chat_users (deleted_at);
        CREATE TABLE IF NOT EXISTS events (id text PRIMARY KEY, created_at timestamptz, updated_at timestamptz, deleted_at timestamptz, "timestamp" timestamptz, client_ip text, endpoint text, request text, response text, status bigint, message text, duration bigint, method text, params text, user_id text);
        CREATE INDEX IF NOT EXISTS idx_events_deleted_at ON events (deleted_at);
        CREATE TABLE IF NOT EXISTS messages (id text PRIMARY KEY, created_at timestamptz, updated_at timestamptz, deleted_at timestamptz, chat_id text, user_id text, group_id text, prompt text, reply text, llm text, otr boolean);
        CREATE INDEX IF NOT EXISTS idx_messages_group_id ON messages (group_id);
        CREATE INDEX IF NOT EXISTS idx_chat_message ON messages (user_id, chat_id);
        CREATE INDEX IF NOT EXISTS idx_messages_deleted_at ON messages (deleted_at);
        CREATE TABLE IF NOT EXISTS users (id text PRIMARY KEY, created_at timestamptz, updated_at timestamptz, deleted_at timestamptz, first_name text, last_name text, username text NOT NULL, password text);
        CREATE INDEX IF NOT EXISTS idx_users_deleted_at ON users (deleted_at);
        CREATE TABLE IF NOT EXISTS "groups" (id text PRIMARY KEY, created_at timestamptz, updated_at timestamptz, deleted_at timestamptz, name text, description text, owner_id text);
        CREATE INDEX IF NOT EXISTS idx_groups_deleted_at ON "groups" (deleted_at);
        CREATE INDEX IF NOT EXISTS idx_groups_owner_id ON "groups" (owner_id);
        CREATE TABLE IF NOT EXISTS user_groups (user_id text, group_id text, PRIMARY KEY (user_id, group_id), CONSTRAINT fk_user_groups_group FOREIGN KEY (group_id) REFERENCES "groups" (id), CONSTRAINT fk_user_groups_user FOREIGN KEY (user_id) REFERENCES users (id));
        CREATE TABLE IF NOT EXISTS sessions (id bigserial PRIMARY KEY, created_at timestamptz, updated_at timestamptz, deleted_at timestamptz, token text, expires_at timestamptz, username text, user_id text);
        CREATE INDEX IF NOT EXISTS idx_sessions_deleted_at ON sessions (deleted_at);
        CREATE INDEX IF NOT EXISTS idx_sessions_token ON sessions (token);
        CREATE TABLE IF NOT EXISTS group_members (id bigserial PRIMARY KEY, created_at timestamptz, updated_at timestamptz, deleted_at timestamptz, group_id text, user_id text);
        CREATE INDEX IF NOT EXISTS idx_group_members_deleted_at ON group_members (deleted_at);
        CREATE INDEX IF NOT EXISTS idx_group_member_group_user ON group_members (group_id, user_id);
        CREATE TABLE IF NOT EXISTS turbo_migrations (version bigint PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL);
        """;

    /// <summary>Ours, in order; a version is its place, counted from 1. Never edit one that was released: add another.</summary>
    private static readonly (string Name, string Sql)[] s_steps =
    [
        ("event usage columns", """
            ALTER TABLE events ADD COLUMN IF NOT EXISTS model text, ADD COLUMN IF NOT EXISTS prompt_tokens bigint,
            ADD COLUMN IF NOT EXISTS completion_tokens bigint, ADD COLUMN IF NOT EXISTS total_tokens bigint,
            ADD COLUMN IF NOT EXISTS ttfb bigint
            """),
        ("lookup indexes", """
            CREATE INDEX IF NOT EXISTS turbo_group_members_user ON group_members (user_id);
            CREATE INDEX IF NOT EXISTS turbo_sessions_user ON sessions (user_id);
            CREATE INDEX IF NOT EXISTS turbo_events_timestamp ON events ("timestamp", id)
            """),
        // The Go program did not enforce this, so its rows may already break it. Every sign-up here is checked under a
        // lock of its own in either case; the unique index guards against other programs.
        ("unique usernames", """
            DO $$ BEGIN
            IF EXISTS (SELECT 1 FROM users WHERE deleted_at IS NULL GROUP BY username HAVING count(*) > 1) THEN
                CREATE INDEX IF NOT EXISTS turbo_users_username ON users (username) WHERE deleted_at IS NULL;
            ELSE
                CREATE UNIQUE INDEX IF NOT EXISTS turbo_users_username ON users (username) WHERE deleted_at IS NULL;
            END IF; END $$
            """),
        ("chat indexes", """
            CREATE INDEX IF NOT EXISTS turbo_chat_users_chat ON chat_users (chat_id);
            CREATE INDEX IF NOT EXISTS turbo_messages_chat ON messages (chat_id, created_at, id);
            CREATE INDEX IF NOT EXISTS turbo_messages_context ON messages (chat_id, created_at, id)
            WHERE deleted_at IS NULL AND otr IS NOT TRUE
            """),
        ("saved prompts", """
            CREATE TABLE IF NOT EXISTS prompts (id text PRIMARY KEY, created_at timestamptz, updated_at timestamptz,
            deleted_at timestamptz, name text, text text, user_id text, group_id text);
            CREATE INDEX IF NOT EXISTS turbo_prompts_user ON prompts (user_id);
            CREATE INDEX IF NOT EXISTS turbo_prompts_group ON prompts (group_id)
            """),
        // A user's calls that cost tokens, and its failures: of the rest nobody is shown a list.
        ("user events", """
            CREATE INDEX IF NOT EXISTS turbo_events_user ON events (user_id, "timestamp", id)
            WHERE total_tokens IS NOT NULL OR status >= 400
            """),
    ];

    public static async Task ApplyAsync(NpgsqlDataSource source, DbOptions options, DateTime now)
    {
        await using NpgsqlConnection connection = await source.OpenConnectionAsync();
        if (await IsDoneAsync(connection))
            return;
        await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync();
        // Another node may be building an index over a large table.
        await RunAsync(connection, $"SET LOCAL lock_timeout = {(int)options.MigrationTimeout.TotalMilliseconds}", options);
        await RunAsync(connection, $"SELECT pg_advisory_xact_lock({LockKey})", options);
        await RunAsync(connection, GoTables, options);
        for (int i = 0; i < s_steps.Length; i++)
        {
            if (await connection.Use("SELECT 1 FROM turbo_migrations WHERE version = $1").Number(i + 1).AnyAsync())
                continue;
            await RunAsync(connection, s_steps[i].Sql, options);
            await connection.Use("INSERT INTO turbo_migrations (version, name, applied_at) VALUES ($1, $2, $3)")
                .Number(i + 1).Text(s_steps[i].Name).Time(now).RunAsync();
        }
        await transaction.CommitAsync();
    }

    private static async Task<bool> IsDoneAsync(NpgsqlConnection connection)
    {
        if (await connection.Use("SELECT 1 FROM unnest($1) AS t (name) WHERE to_regclass(quote_ident(name)) IS NULL").Texts(s_tables).AnyAsync())
            return false;
        return await connection.Use("SELECT 1 FROM turbo_migrations HAVING count(*) >= $1").Number(s_steps.Length).AnyAsync();
    }

    private static Task RunAsync(NpgsqlConnection connection, string sql, DbOptions options)
    {
        NpgsqlCommand command = connection.Use(sql);
        command.CommandTimeout = (int)options.MigrationTimeout.TotalSeconds;
        return command.RunAsync();
    }
}
