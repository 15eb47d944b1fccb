using System.Net;
using System.Text;
using Turbo.Server;
using Turbo.Server.Auth;
using Turbo.Server.Model;
using Turbo.Server.Storage;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Auth;

[TestFixture]
internal sealed class AccountsTests
{
    private static readonly IPAddress s_client = IPAddress.Parse("192.0.2.1");

    private TempFolder _folder = null!;
    private ManualTimeProvider _time = null!;
    private Db _db = null!;
    private Passwords _passwords = null!;
    private Sessions _sessions = null!;
    private Accounts _accounts = null!;

    [SetUp]
    public async Task Open()
    {
        _folder = new TempFolder();
        _time = new ManualTimeProvider();
        _db = await Db.OpenAsync(new SqliteAddress(Golden.CopyTo(_folder)), new DbOptions(), _time);
        _passwords = new Passwords(cost: 5);
        _sessions = new Sessions(_db.Users, new SessionOptions(), _time, (_, _) => { });
        _accounts = new Accounts(_db.Users, _passwords, new LoginLimiter(10, _time), _sessions, _time);
    }

    [TearDown]
    public async Task Close()
    {
        await _sessions.DisposeAsync();
        _passwords.Dispose();
        await _db.DisposeAsync();
        _folder.Dispose();
    }

    [TestCase("alice")]
    [TestCase("bob")]
    [TestCase("carol")]
    public async Task A_user_of_the_Go_program_logs_in_and_the_hash_becomes_ours(string name)
    {
        Golden.Person person = Golden.Read(name);
        LogIn logIn = await _accounts.LogInAsync(person.Username, person.Password, s_client);
        Assert.That((logIn.Status, logIn.User!.Id), Is.EqualTo((AccountStatus.Done, person.Id)));
        Assert.That(logIn.Session!.ExpiresAt, Is.EqualTo(_time.GetUtcNow().UtcDateTime.AddDays(365)));
        Assert.That((await _sessions.AuthenticateAsync(Encoding.ASCII.GetBytes(logIn.Token)))!.UserId, Is.EqualTo(person.Id));
        Assert.That((await _db.Users.FindAsync(person.Id))!.PasswordHash, Does.StartWith("$2a$05$"));
        Assert.That((await _accounts.LogInAsync(person.Username, person.Password, s_client)).Status, Is.EqualTo(AccountStatus.Done));
    }

    [Test]
    public async Task Logins_that_rehash_at_once_all_succeed()
    {
        Golden.Person alice = Golden.Read("alice");
        LogIn[] all = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => _accounts.LogInAsync("alice", alice.Password, s_client)));
        Assert.That(all.Select(logIn => logIn.Status), Is.All.EqualTo(AccountStatus.Done));
        Assert.That(all.Select(logIn => logIn.Token).Distinct().Count(), Is.EqualTo(8));
    }

    [Test]
    public async Task Sign_up_then_log_in()
    {
        LogIn made = await _accounts.SignUpAsync("dora", "secret", "Dora", "", "Team");
        Assert.That((made.Status, made.User!.Groups.Single().Name), Is.EqualTo((AccountStatus.Done, "Team")));
        Assert.That(await _sessions.AuthenticateAsync(Encoding.ASCII.GetBytes(made.Token)), Is.Not.Null);
        Assert.That((await _accounts.SignUpAsync("dora", "other", "D", "", "Team")).Status, Is.EqualTo(AccountStatus.Taken));
        Assert.That((await _accounts.LogInAsync("dora", "secret", s_client)).Status, Is.EqualTo(AccountStatus.Done));
        Assert.That((await _accounts.LogInAsync("dora", "other", s_client)).Status, Is.EqualTo(AccountStatus.Refused));
    }

    [Test]
    public async Task Unknown_user_and_wrong_password_answer_alike() => Assert.That(
        await _accounts.LogInAsync("nobody", "x", s_client),
        Is.EqualTo(await _accounts.LogInAsync("alice", "x", s_client)).And.EqualTo(new LogIn(AccountStatus.Refused)));

    [Test]
    public async Task After_ten_failures_the_right_password_waits_too()
    {
        Golden.Person alice = Golden.Read("alice");
        for (int i = 0; i < 10; i++)
            Assert.That((await _accounts.LogInAsync("alice", "wrong", s_client)).Status, Is.EqualTo(AccountStatus.Refused));
        LogIn blocked = await _accounts.LogInAsync("alice", alice.Password, s_client);
        Assert.That(blocked.Status, Is.EqualTo(AccountStatus.Blocked));
        _time.Advance(blocked.RetryAfter);
        Assert.That((await _accounts.LogInAsync("alice", alice.Password, s_client)).Status, Is.EqualTo(AccountStatus.Done));
    }

    [Test]
    public async Task Of_many_guesses_at_once_those_beyond_the_limit_learn_nothing()
    {
        Task<LogIn>[] wrong = Enumerable.Range(0, 40).Select(_ => _accounts.LogInAsync("alice", "wrong", s_client)).ToArray();
        Task<LogIn> right = _accounts.LogInAsync("alice", Golden.Read("alice").Password, s_client);
        LogIn[] answers = await Task.WhenAll(wrong);
        Assert.That(answers.Count(logIn => logIn.Status == AccountStatus.Blocked), Is.GreaterThanOrEqualTo(28));
        Assert.That((await right).Status, Is.EqualTo(AccountStatus.Blocked));
    }

    [Test]
    public async Task A_password_change_ends_the_other_sessions_at_once()
    {
        Golden.Person alice = Golden.Read("alice");
        byte[] golden = Encoding.ASCII.GetBytes(alice.Token);
        LiveSession other = (await _sessions.AuthenticateAsync(golden))!;
        LogIn logIn = await _accounts.LogInAsync("alice", alice.Password, s_client);
        LiveSession own = (await _sessions.AuthenticateAsync(Encoding.ASCII.GetBytes(logIn.Token)))!;

        Assert.That((await _accounts.ChangePasswordAsync(own, "wrong", "new", s_client)).Status, Is.EqualTo(AccountStatus.Refused));
        Assert.That(other.IsEnded, Is.False);
        Assert.That((await _accounts.ChangePasswordAsync(own, alice.Password, "new", s_client)).Status, Is.EqualTo(AccountStatus.Done));
        Assert.That((other.IsEnded, own.IsEnded), Is.EqualTo((true, false)));
        Assert.That(await _sessions.AuthenticateAsync(golden), Is.Null);
        Assert.That((await _accounts.LogInAsync("alice", alice.Password, s_client)).Status, Is.EqualTo(AccountStatus.Refused));
        Assert.That((await _accounts.LogInAsync("alice", "new", s_client)).Status, Is.EqualTo(AccountStatus.Done));
    }

    [Test]
    public async Task A_login_that_a_password_change_overtakes_is_refused()
    {
        Golden.Person alice = Golden.Read("alice");
        User before = (await _db.Users.FindByUsernameAsync("alice"))!;
        string other = (await _passwords.HashAsync("new"))!;
        await _db.Users.ChangePasswordAsync(alice.Id, null, other, null);
        Assert.That(await _db.Users.AddSessionAsync(before, new NewSession("sha256:x", DateTime.MaxValue), null), Is.Null);
    }
}
