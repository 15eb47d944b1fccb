using Npgsql;
using Turbo.Server.Model;

namespace Turbo.Server.Storage.Postgres;

internal sealed partial class PostgresUserStore(PostgresPool pool, Db db) : IUserStore
{
    internal const string Columns = "id, created_at, updated_at, deleted_at, first_name, last_name, username, password";

    /// <summary>In the same places, for a list of other users: whoever reads it has no use for a hash.</summary>
    internal const string PublicColumns = "id, created_at, updated_at, deleted_at, first_name, last_name, username, ''";

    internal const string ById = $"SELECT {Columns} FROM users WHERE id = $1 AND deleted_at IS NULL";

    // Rows of the Go program may repeat a username; the oldest is the one it logged in.
    internal const string ByUsername =
        $"SELECT {Columns} FROM users WHERE username = $1 AND deleted_at IS NULL ORDER BY created_at, id LIMIT 1";

    internal const string Listed = $"""
        SELECT {Columns} FROM users WHERE deleted_at IS NULL
        AND ($1::text IS NULL OR (created_at, id) > (SELECT created_at, id FROM users WHERE id = $1))
        ORDER BY created_at, id LIMIT $2
        """;

    internal const string ExistsById = "SELECT 1 FROM users WHERE id = $1 AND deleted_at IS NULL";

    // Two that want the same name come one after the other, on whichever node; the second then finds it taken.
    internal const string LockUsername = "SELECT pg_advisory_xact_lock(hashtextextended($1, 7571721))";

    internal const string Taken = "SELECT 1 FROM users WHERE username = $1 AND id <> $2 AND deleted_at IS NULL LIMIT 1";

    internal const string Insert = """
        INSERT INTO users (id, created_at, updated_at, first_name, last_name, username, password)
        VALUES ($1, $2, $2, $3, $4, $5, $6)
        """;

    internal const string UpdateFields = $"""
        UPDATE users SET first_name = coalesce($2, first_name), last_name = coalesce($3, last_name),
        username = coalesce($4, username), updated_at = $5 WHERE id = $1 AND deleted_at IS NULL RETURNING {Columns}
        """;

    internal const string SetPassword = """
        UPDATE users SET password = $2, updated_at = $3
        WHERE id = $1 AND deleted_at IS NULL AND ($4::text IS NULL OR password = $4)
        """;

    /// <summary>The index that keeps usernames apart, where old rows allowed one.</summary>
    private const string UsernameIndex = "turbo_users_username";

    public async Task<SignUp?> CreateAsync(NewUser user, NewSession? session)
    {
        DateTime now = db.Now;
        string id = Ids.New();
        Group[] groups = user.GroupName is null
            ? []
            : [new Group { Id = Ids.New(), CreatedAt = now, UpdatedAt = now, Name = user.GroupName, OwnerId = id }];
        var row = new User
        {
            Id = id, CreatedAt = now, UpdatedAt = now, FirstName = user.FirstName, LastName = user.LastName,
            Username = user.Username, PasswordHash = user.PasswordHash, Groups = groups,
        };
        try
        {
            return await pool.WriteAsync((row, session), static (connection, work) => CreateAsync(connection, work.row, work.session));
        }
        catch (StorageException e) when (IsTaken(e))
        {
            return null;
        }
    }

    public Task<User?> FindAsync(string id) =>
        pool.ReadAsync(id, static (connection, id) => FindAsync(connection, ById, id));

    public Task<User?> FindByUsernameAsync(string username) =>
        pool.ReadAsync(username, static (connection, name) => FindAsync(connection, ByUsername, name));

    public Task<IReadOnlyList<User>> ListAsync(User? after, int limit) =>
        pool.ReadAsync((after, limit), static async (connection, page) =>
            (IReadOnlyList<User>)await connection.Use(Listed).Text(page.after?.Id).Number(page.limit).ListAsync(Read));

    public async Task<UserUpdate> UpdateAsync(string id, string? firstName, string? lastName, string? username)
    {
        try
        {
            return await pool.WriteAsync((id, firstName, lastName, username, now: db.Now), static async (connection, work) =>
            {
                if (!await connection.Use(ExistsById).Text(work.id).AnyAsync())
                    return new UserUpdate(UserUpdateStatus.NotFound, null);
                if (work.username is not null && await IsTakenAsync(connection, work.username, work.id))
                    return new UserUpdate(UserUpdateStatus.UsernameTaken, null);
                User? user = await connection.Use(UpdateFields)
                    .Text(work.id).Text(work.firstName).Text(work.lastName).Text(work.username).Time(work.now).FirstAsync(Read);
                return user is null
                    ? new UserUpdate(UserUpdateStatus.NotFound, null)
                    : new UserUpdate(UserUpdateStatus.Updated, await WithGroupsAsync(connection, user));
            }, isRepeatable: true);
        }
        catch (StorageException e) when (IsTaken(e))
        {
            return new UserUpdate(UserUpdateStatus.UsernameTaken, null);
        }
    }

    public Task<IReadOnlyList<long>?> ChangePasswordAsync(
        string userId, string? expectedHash, string newHash, long? keepSession) =>
        pool.WriteAsync((userId, expectedHash, newHash, keepSession, now: db.Now), static async (connection, work) =>
            await ReplaceHashAsync(connection, work.userId, work.expectedHash, work.newHash, work.now)
                ? await EndSessionsAsync(connection, work.userId, work.keepSession, work.now)
                : null);

    internal static User Read(NpgsqlDataReader row) => new()
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

    private static async Task<SignUp?> CreateAsync(NpgsqlConnection connection, User user, NewSession? session)
    {
        if (await IsTakenAsync(connection, user.Username, ""))
            return null;
        await connection.Use(Insert)
            .Text(user.Id).Time(user.CreatedAt).Text(user.FirstName).Text(user.LastName).Text(user.Username).Text(user.PasswordHash)
            .RunAsync();
        foreach (Group group in user.Groups)
            await PostgresGroupStore.CreateAsync(connection, group, [user.Id]);
        return new SignUp(user, session is { } wanted ? await AddSessionAsync(connection, user, wanted, user.CreatedAt) : null);
    }

    private static async Task<bool> IsTakenAsync(NpgsqlConnection connection, string username, string exceptId)
    {
        await connection.Use(LockUsername).Text(username).RunAsync();
        return await connection.Use(Taken).Text(username).Text(exceptId).AnyAsync();
    }

    /// <summary>Another program, which takes no lock of ours, was quicker.</summary>
    private static bool IsTaken(StorageException e) => e.InnerException is PostgresException { ConstraintName: UsernameIndex };

    private static async Task<bool> ReplaceHashAsync(
        NpgsqlConnection connection, string userId, string? expected, string newHash, DateTime now) =>
        await connection.Use(SetPassword).Text(userId).Text(newHash).Time(now).Text(expected).RunAsync() == 1;

    private static async Task<User?> FindAsync(NpgsqlConnection connection, string sql, string key) =>
        await connection.Use(sql).Text(key).FirstAsync(Read) is { } user ? await WithGroupsAsync(connection, user) : null;

    private static async Task<User> WithGroupsAsync(NpgsqlConnection connection, User user) =>
        user with { Groups = await PostgresGroupStore.OfUserAsync(connection, user.Id) };
}
