using Turbo.Server.Model;

namespace Turbo.Server.Storage.Sqlite;

internal sealed partial class SqliteUserStore(SqliteWriter writer, SqliteReaders readers, TimeProvider time) : IUserStore
{
    internal const string Columns = "id, created_at, updated_at, deleted_at, first_name, last_name, username, password";

    /// <summary>In the same places, for a list of other users: whoever reads it has no use for a hash.</summary>
    internal const string PublicColumns = "id, created_at, updated_at, deleted_at, first_name, last_name, username, ''";

    internal const string PublicById = $"SELECT {PublicColumns} FROM users WHERE id = ? AND +deleted_at IS NULL";

    internal const string ById = $"SELECT {Columns} FROM users WHERE id = ? AND +deleted_at IS NULL";

    // Rows of the Go program may repeat a username; the oldest is the one it logged in.
    internal const string ByUsername =
        $"SELECT {Columns} FROM users WHERE username = ? AND deleted_at IS NULL ORDER BY created_at, id LIMIT 1";

    // The place to go on from is read from the row itself: its time may be finer than a DateTime.
    internal const string Listed = $"""
        SELECT {Columns} FROM users WHERE +deleted_at IS NULL
        AND (?1 IS NULL OR (created_at, id) > (SELECT created_at, id FROM users WHERE id = ?1))
        ORDER BY created_at, id LIMIT ?2
        """;

    internal const string ExistsById = "SELECT 1 FROM users WHERE id = ? AND +deleted_at IS NULL";

    internal const string Taken = "SELECT 1 FROM users WHERE username = ? AND +id <> ? AND deleted_at IS NULL LIMIT 1";

    internal const string Insert = """
        INSERT INTO users (id, created_at, updated_at, first_name, last_name, username, password)
        VALUES (?, ?, ?, ?, ?, ?, ?)
        """;

    internal const string UpdateFields = """
        UPDATE users SET first_name = coalesce(?, first_name), last_name = coalesce(?, last_name),
        username = coalesce(?, username), updated_at = ? WHERE id = ? AND +deleted_at IS NULL
        """;

    internal const string SetPassword = """
        UPDATE users SET password = ?, updated_at = ?
        WHERE id = ? AND +deleted_at IS NULL AND (?4 IS NULL OR password = ?4)
        """;

    private DateTime Now => time.GetUtcNow().UtcDateTime;

    public Task<SignUp?> CreateAsync(NewUser user, NewSession? session)
    {
        DateTime now = Now;
        string id = Ids.New();
        Group[] groups = user.GroupName is null
            ? []
            : [new Group { Id = Ids.New(), CreatedAt = now, UpdatedAt = now, Name = user.GroupName, OwnerId = id }];
        var row = new User
        {
            Id = id, CreatedAt = now, UpdatedAt = now, FirstName = user.FirstName, LastName = user.LastName,
            Username = user.Username, PasswordHash = user.PasswordHash, Groups = groups,
        };
        return writer.WriteAsync((row, session), static (storage, work) => Create(storage, work.row, work.session));
    }

    public Task<User?> FindAsync(string id) => readers.ReadAsync(id, static (session, id) =>
        session.Snapshot(id, static (session, id) => Find(session, ById, id)));

    public Task<User?> FindByUsernameAsync(string username) => readers.ReadAsync(username, static (session, name) =>
        session.Snapshot(name, static (session, name) => Find(session, ByUsername, name)));

    public Task<IReadOnlyList<User>> ListAsync(User? after, int limit) =>
        readers.ReadAsync((after, limit), static (session, page) =>
        {
            using SqliteStatement rows = session.Use(Listed).Bind(1, page.after?.Id).Bind(2, page.limit);
            var users = new List<User>();
            while (rows.Step())
                users.Add(Read(rows));
            return (IReadOnlyList<User>)users;
        });

    public Task<UserUpdate> UpdateAsync(string id, string? firstName, string? lastName, string? username) =>
        writer.WriteAsync((id, firstName, lastName, username, now: Now), static (session, work) =>
        {
            if (!Exists(session, work.id))
                return new UserUpdate(UserUpdateStatus.NotFound, null);
            if (work.username is not null && IsTaken(session, work.username, work.id))
                return new UserUpdate(UserUpdateStatus.UsernameTaken, null);
            using (SqliteStatement update = session.Use(UpdateFields)
                .Bind(1, work.firstName).Bind(2, work.lastName).Bind(3, work.username)
                .Bind(4, work.now).Bind(5, work.id))
                update.Run();
            return new UserUpdate(UserUpdateStatus.Updated, Find(session, ById, work.id));
        });

    public Task<IReadOnlyList<long>?> ChangePasswordAsync(
        string userId, string? expectedHash, string newHash, long? keepSession) =>
        writer.WriteAsync((userId, expectedHash, newHash, keepSession, now: Now), static (session, work) =>
            ReplaceHash(session, work.userId, work.expectedHash, work.newHash, work.now)
                ? EndSessions(session, work.userId, work.keepSession, work.now)
                : null);

    internal static bool Exists(SqliteSession session, string id)
    {
        using SqliteStatement found = session.Use(ExistsById).Bind(1, id);
        return found.Step();
    }

    private static SignUp? Create(SqliteSession storage, User user, NewSession? session)
    {
        if (IsTaken(storage, user.Username, ""))
            return null;
        using (SqliteStatement insert = storage.Use(Insert)
            .Bind(1, user.Id).Bind(2, user.CreatedAt).Bind(3, user.UpdatedAt).Bind(4, user.FirstName)
            .Bind(5, user.LastName).Bind(6, user.Username).Bind(7, user.PasswordHash))
            insert.Run();
        foreach (Group group in user.Groups)
            SqliteGroupStore.Create(storage, group, [user.Id]);
        return new SignUp(user, session is { } wanted ? AddSession(storage, user, wanted, user.CreatedAt) : null);
    }

    private static bool IsTaken(SqliteSession session, string username, string exceptId)
    {
        using SqliteStatement taken = session.Use(Taken).Bind(1, username).Bind(2, exceptId);
        return taken.Step();
    }

    private static bool ReplaceHash(SqliteSession session, string userId, string? expected, string newHash, DateTime now)
    {
        using SqliteStatement update = session.Use(SetPassword)
            .Bind(1, newHash).Bind(2, now).Bind(3, userId).Bind(4, expected);
        return update.Run() == 1;
    }

    private static User? Find(SqliteSession session, string sql, string key)
    {
        User? user;
        using (SqliteStatement found = session.Use(sql).Bind(1, key))
            user = found.Step() ? Read(found) : null;
        return user is null ? null : user with { Groups = SqliteGroupStore.OfUser(session, user.Id) };
    }

    internal static User Read(SqliteStatement row) => new()
    {
        Id = row.Text(0),
        CreatedAt = row.Time(1),
        UpdatedAt = row.Time(2),
        DeletedAt = row.TimeOrNull(3),
        FirstName = row.Text(4),
        LastName = row.Text(5),
        Username = row.Text(6),
        PasswordHash = row.Text(7),
    };
}
