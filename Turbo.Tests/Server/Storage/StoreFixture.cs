using Turbo.Server.Model;
using Turbo.Server.Storage;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Storage;

/// <summary>What every store's tests begin with: an empty, open database and a clock, on each kind of database.</summary>
[TestFixture(DatabaseKind.Sqlite)]
[TestFixture(DatabaseKind.Postgres)]
internal abstract class StoreFixture(DatabaseKind kind)
{
    protected DatabaseKind Kind { get; } = kind;
    protected TestDatabase Database { get; private set; } = null!;
    protected ManualTimeProvider Time { get; private set; } = null!;
    protected Db Db { get; private set; } = null!;

    [SetUp]
    public async Task OpenDatabase()
    {
        Database = await TestDatabase.CreateAsync(Kind);
        Time = new ManualTimeProvider();
        Db = await Database.OpenAsync(Time);
    }

    [TearDown]
    public async Task CloseDatabase()
    {
        if (Db is not null)
            await Db.DisposeAsync();
        if (Database is not null)
            await Database.DisposeAsync();
    }

    protected DateTime Now => Time.GetUtcNow().UtcDateTime;

    protected void Tick() => Time.Advance(TimeSpan.FromSeconds(1));

    /// <summary>A user with a Personal group; the clock moves on, so that users and groups have an order.</summary>
    protected async Task<User> UserAsync(string username)
    {
        SignUp signUp = (await Db.Users.CreateAsync(new NewUser(username, "$2a$04$hash", username, "", "Personal"), null))!;
        Tick();
        return signUp.User;
    }
}
