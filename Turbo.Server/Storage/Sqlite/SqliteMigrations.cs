
namespace Turbo.Server.Storage.Sqlite;

/// <summary>
/// The Go program's tables, then what Turbo adds: each step once, in order, recorded in <c>turbo_migrations</c>,
/// all in one transaction. Steps only add, so the Go program can still open the file.
/// </summary>
internal static class SqliteMigrations
{
    // Byte for byte what the Go program creates, so that its own migration finds nothing to change.
    private static readonly string[] GoTables =
    [
        "CREATE TABLE IF NOT EXISTS `chats` (`id` text,`created_at` datetime,`updated_at` datetime,`deleted_at` datetime,`name` text,`llm` text,`user_id` text,`group_id` text,PRIMARY KEY (`id`))",
        "CREATE INDEX IF NOT EXISTS `idx_chats_group_id` ON `chats`(`group_id`)",
        "CREATE INDEX IF NOT EXISTS `idx_chat_user` ON `chats`(`user_id`,`id`)",
        "CREATE INDEX IF NOT EXISTS `idx_chats_deleted_at` ON `chats`(`deleted_at`)",
        "CREATE TABLE IF NOT EXISTS `chat_users` (`id` integer,`created_at` datetime,`updated_at` datetime,`deleted_at` datetime,`chat_id` text,`user_id` text,PRIMARY KEY (`id`))",
        "CREATE UNIQUE INDEX IF NOT EXISTS `idx_chat_user_member` ON `chat_users`(`user_id`,`chat_id`)",
        "CREATE INDEX IF NOT EXISTS `idx_chat_users_deleted_at` ON `chat_users`(`deleted_at`)",
        "CREATE TABLE IF NOT EXISTS `events` (`id` text,`created_at` datetime,`updated_at` datetime,`deleted_at` datetime,`timestamp` datetime,`client_ip` text,`endpoint` text,`request` text,`response` text,`status` integer,`message` text,`duration` integer,`method` text,`params` text,`user_id` text,PRIMARY KEY (`id`))",
        "CREATE INDEX IF NOT EXISTS `idx_events_deleted_at` ON `events`(`deleted_at`)",
        "CREATE TABLE IF NOT EXISTS `messages` (`id` text,`created_at` datetime,`updated_at` datetime,`deleted_at` datetime,`chat_id` text,`user_id` text,`group_id` text,`prompt` text,`reply` text,`llm` text,`otr` numeric,PRIMARY KEY (`id`))",
        "CREATE INDEX IF NOT EXISTS `idx_messages_group_id` ON `messages`(`group_id`)",
        "CREATE INDEX IF NOT EXISTS `idx_chat_message` ON `messages`(`user_id`,`chat_id`)",
        "CREATE INDEX IF NOT EXISTS `idx_messages_deleted_at` ON `messages`(`deleted_at`)",
        "CREATE TABLE IF NOT EXISTS `users` (`id` text,`created_at` datetime,`updated_at` datetime,`deleted_at` datetime,`first_name` text,`last_name` text,`username` text NOT NULL,`password` text,PRIMARY KEY (`id`))",
        "CREATE INDEX IF NOT EXISTS `idx_users_deleted_at` ON `users`(`deleted_at`)",
        "CREATE TABLE IF NOT EXISTS \"groups\" (`id` text,`created_at` datetime,`updated_at` datetime,`deleted_at` datetime,`name` text,`description` text,`owner_id` text,PRIMARY KEY (`id`))",
        "CREATE TABLE IF NOT EXISTS `user_groups` (`user_id` text,`group_id` text,PRIMARY KEY (`user_id`,`group_id`),CONSTRAINT `fk_user_groups_group` FOREIGN KEY (`group_id`) REFERENCES `groups`(`id`),CONSTRAINT `fk_user_groups_user` FOREIGN KEY (`user_id`) REFERENCES `users`(`id`))",
        "CREATE TABLE IF NOT EXISTS `sessions` (`id` integer,`created_at` datetime,`updated_at` datetime,`deleted_at` datetime,`token` text,`expires_at` datetime,`username` text,`user_id` text,PRIMARY KEY (`id`))",
        "CREATE INDEX IF NOT EXISTS `idx_sessions_deleted_at` ON `sessions`(`deleted_at`)",
        "CREATE INDEX IF NOT EXISTS `idx_sessions_token` ON `sessions`(`token`)",
        "CREATE INDEX IF NOT EXISTS `idx_groups_deleted_at` ON `groups`(`deleted_at`)",
        "CREATE INDEX IF NOT EXISTS `idx_groups_owner_id` ON `groups`(`owner_id`)",
        "CREATE TABLE IF NOT EXISTS `group_members` (`id` integer,`created_at` datetime,`updated_at` datetime,`deleted_at` datetime,`group_id` text,`user_id` text,PRIMARY KEY (`id`))",
        "CREATE INDEX IF NOT EXISTS `idx_group_members_deleted_at` ON `group_members`(`deleted_at`)",
        "CREATE INDEX IF NOT EXISTS `idx_group_member_group_user` ON `group_members`(`group_id`,`user_id`)",
    ];

    /// <summary>Ours, in order; a version is its place, counted from 1. Never edit one that was released: add another.</summary>
    private static readonly (string Name, Action<SqliteSession> Apply)[] Steps =
    [
        ("event usage columns", AddEventColumns),
        ("lookup indexes", AddLookupIndexes),
        ("unique usernames", AddUsernameIndex),
        ("chat indexes", AddChatIndexes),
        ("event index", AddEventIndex),
        ("saved prompts", AddSavedPrompts),
        ("user events", AddUserEventIndex),
    ];

    public static void Apply(SqliteSession session, DateTime now)
    {
        session.Execute("BEGIN IMMEDIATE");
        try
        {
            // Even in a database of ours: a table that is missing is created.
            foreach (string sql in GoTables)
                session.Execute(sql);
            session.Execute("CREATE TABLE IF NOT EXISTS turbo_migrations (version integer PRIMARY KEY, name text NOT NULL, applied_at datetime NOT NULL)");
            for (int i = 0; i < Steps.Length; i++)
                ApplyOnce(session, i + 1, Steps[i].Name, Steps[i].Apply, now);
            session.Execute("COMMIT");
        }
        finally
        {
            if (session.InTransaction)
                session.Execute("ROLLBACK");
        }
    }

    private static void ApplyOnce(SqliteSession session, int version, string name, Action<SqliteSession> apply, DateTime now)
    {
        using (SqliteStatement done = session.Use("SELECT 1 FROM turbo_migrations WHERE version = ?").Bind(1, version))
        {
            if (done.Step())
                return;
        }
        apply(session);
        using SqliteStatement record = session.Use("INSERT INTO turbo_migrations (version, name, applied_at) VALUES (?, ?, ?)")
            .Bind(1, version).Bind(2, name).Bind(3, now);
        record.Run();
    }

    private static void AddEventColumns(SqliteSession session)
    {
        foreach (string column in (string[])
            ["model text", "prompt_tokens integer", "completion_tokens integer", "total_tokens integer", "ttfb integer"])
        {
            using SqliteStatement present = session.Use("SELECT 1 FROM pragma_table_info('events') WHERE name = ?")
                .Bind(1, column[..column.IndexOf(' ')]);
            bool exists = present.Step();
            present.Rewind();
            if (!exists)
                session.Execute("ALTER TABLE events ADD COLUMN " + column);
        }
    }

    private static void AddLookupIndexes(SqliteSession session)
    {
        session.Execute("CREATE INDEX IF NOT EXISTS turbo_group_members_user ON group_members(user_id)");
        session.Execute("CREATE INDEX IF NOT EXISTS turbo_sessions_user ON sessions(user_id)");
        session.Execute("CREATE INDEX IF NOT EXISTS turbo_events_timestamp ON events(timestamp)");
    }

    private static void AddUsernameIndex(SqliteSession session)
    {
        // The Go program did not enforce this, so its rows may already break it. The writer checks every
        // sign-up within its transaction in either case; the unique index guards against other programs.
        using SqliteStatement repeated = session.Use(
            "SELECT 1 FROM users WHERE deleted_at IS NULL GROUP BY username HAVING count(*) > 1 LIMIT 1");
        bool unique = !repeated.Step();
        repeated.Rewind();
        session.Execute(unique
            ? "CREATE UNIQUE INDEX turbo_users_username ON users(username) WHERE deleted_at IS NULL"
            : "CREATE INDEX turbo_users_username ON users(username) WHERE deleted_at IS NULL");
    }

    // Messages are kept in the order of their instant, which text alone is not where the Go program wrote another zone.
    private static void AddChatIndexes(SqliteSession session)
    {
        session.Execute("CREATE INDEX IF NOT EXISTS turbo_chat_users_chat ON chat_users(chat_id)");
        session.Execute("CREATE INDEX IF NOT EXISTS turbo_messages_chat ON messages(chat_id, julianday(created_at), created_at, id)");
        session.Execute("""
            CREATE INDEX IF NOT EXISTS turbo_messages_context ON messages(chat_id, julianday(created_at), created_at, id)
            WHERE deleted_at IS NULL AND otr IS NOT 1
            """);
    }

    // Usage is summed from it alone, and a user's events are told apart in it: a row lies behind the bodies that it keeps,
    // so looking at each would read the whole table. In the order of time, as the index it takes the place of, since
    // one that begins with the user has a batch write a page for each of its rows.
    private static void AddEventIndex(SqliteSession session)
    {
        session.Execute("""
            CREATE INDEX IF NOT EXISTS turbo_events_usage
            ON events(timestamp, user_id, model, prompt_tokens, completion_tokens, total_tokens, deleted_at)
            """);
        session.Execute("DROP INDEX IF EXISTS turbo_events_timestamp");
    }

    private static void AddSavedPrompts(SqliteSession session)
    {
        session.Execute("""
            CREATE TABLE IF NOT EXISTS prompts (id text PRIMARY KEY, created_at datetime, updated_at datetime, deleted_at datetime,
            name text, text text, user_id text, group_id text)
            """);
        session.Execute("CREATE INDEX IF NOT EXISTS turbo_prompts_user ON prompts(user_id)");
        session.Execute("CREATE INDEX IF NOT EXISTS turbo_prompts_group ON prompts(group_id)");
    }

    // A user's calls that cost tokens, and its failures: of the rest, which has no place here, nobody is shown a list.
    private static void AddUserEventIndex(SqliteSession session) => session.Execute("""
        CREATE INDEX IF NOT EXISTS turbo_events_user
        ON events(user_id, timestamp, id, model, prompt_tokens, completion_tokens, total_tokens, deleted_at)
        WHERE total_tokens IS NOT NULL OR status >= 400
        """);
}
