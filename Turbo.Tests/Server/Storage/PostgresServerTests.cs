using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Npgsql;
using Turbo.Server;
using Turbo.Server.Model;
using Turbo.Server.Storage;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Storage;

/// <summary>A server of these tests' own: killed and started under load, with TLS, with passwords.</summary>
[TestFixture]
internal sealed class PostgresServerTests
{
    private PostgresServer _server = null!;

    [SetUp]
    public async Task Start() => _server = await PostgresServer.StartAsync();

    [TearDown]
    public async Task Stop()
    {
        if (_server is not null) await _server.DisposeAsync();
    }

    [TestCase("immediate")]
    [TestCase("fast")]
    public async Task A_server_that_goes_away_under_load_loses_nothing_acknowledged_and_is_found_again(string mode)
    {
        await using Db db = await Db.OpenAsync(_server.Address, new DbOptions(), TimeProvider.System);
        User ann = (await db.Users.CreateAsync(new NewUser("ann", "h", "", "", null), null))!.User;
        Chat chat = (await db.Chats.CreateAsync(new NewChat("c", "m", ann.Id, null)))!;
        using var load = new Load(db, chat);
        await Until.TrueAsync(() => load.Acknowledged >= 200);

        await _server.StopAsync(mode);
        await Until.TrueAsync(() => load.Refused >= 20);
        int whileAway = load.Acknowledged;
        Assert.That((await Catch(db.CheckAsync())).Failure, Is.EqualTo(StorageFailure.Unavailable));
        Assert.That((await Catch(db.Users.FindAsync(ann.Id))).Failure, Is.EqualTo(StorageFailure.Unavailable));

        await _server.StartAgainAsync();
        await Until.TrueAsync(() => load.Acknowledged >= whileAway + 200);
        await Until.DoneAsync(load.StopAsync());
        await db.CheckAsync();
        Assert.That(load.Failures, Is.All.EqualTo(StorageFailure.Unavailable), "and nothing else was thrown");

        Assert.That(load.AcknowledgedMessages, Is.SubsetOf((await db.Chats.ReadAsync(chat.Id, ann.Id, int.MaxValue))!.Messages.Select(message => message.Id)));
        Assert.That(load.AcknowledgedUsers, Is.SubsetOf((await db.Users.ListAsync(null, int.MaxValue)).Select(user => user.Username)));
    }

    [Test]
    public async Task The_application_answers_503_while_the_database_is_away_and_200_after()
    {
        await using TestApp app = await TestApp.StartAsync(options => options with { Database = _server.Address });
        (string token, string id) = await app.SignUpAsync("ann");
        await app.App.Events.FlushAsync();
        await _server.StopAsync("immediate");

        (await app.JsonAsync("/user/login", """{"username":"ann","password":"correct horse"}""")).IsError(503, "server_error", "unavailable");
        (await app.GetAsync("/readyz")).IsError(503, "server_error", "unavailable");
        Assert.That((await app.GetAsync("/healthz")).Status, Is.EqualTo(200));

        await _server.StartAgainAsync();
        await Until.DoneAsync(Task.Run(async () =>
        {
            while ((await app.GetAsync("/readyz")).Status != 200) await Task.Delay(20);
        }));
        Assert.That((await app.JsonAsync("/user/login", """{"username":"ann","password":"correct horse"}""")).Status, Is.EqualTo(200));
        Assert.That((await app.GetAsync("/user/session", token)).Json.GetProperty("user").GetProperty("id").GetString(), Is.EqualTo(id));
        // The rows of the requests that came while it was away were kept for it.
        List<EventRecord> events = await app.EventsAsync();
        Assert.That(events.Count(row => row is { Endpoint: "/user/login", Status: 503 }), Is.EqualTo(1));
        Assert.That(events.Count(row => row is { Endpoint: "/healthz" }), Is.EqualTo(1));
    }

    [Test]
    public async Task Tls_and_passwords_are_as_the_url_has_them()
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using X509Certificate2 certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        await PostgresTestDatabase.RunAsync(_server.Address, "CREATE ROLE app LOGIN SUPERUSER PASSWORD 'p@ss/word'");
        await _server.RequirePasswordsAsync(certificate.ExportCertificatePem(), key.ExportPkcs8PrivateKeyPem());

        PostgresAddress app = _server.Address with { User = "app", Password = "p@ss/word" };
        foreach (PostgresTls tls in new[] { PostgresTls.Disable, PostgresTls.Allow, PostgresTls.Prefer, PostgresTls.Require })
        {
            await using Db db = await Db.OpenAsync(app with { Tls = tls }, new DbOptions(), TimeProvider.System);
            await db.CheckAsync();
            long encrypted = (long)(await PostgresTestDatabase.RunAsync(app, "SELECT count(*) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE a.application_name = 'turbo' AND s.ssl"))!;
            Assert.That(encrypted, tls is PostgresTls.Prefer or PostgresTls.Require ? Is.Positive : Is.Zero, tls.ToString());
        }

        StorageException untrusted = await Catch(Db.OpenAsync(app with { Tls = PostgresTls.VerifyFull }, new DbOptions { BusyTimeout = TimeSpan.FromMilliseconds(100) }, TimeProvider.System));
        Assert.That(untrusted.Failure, Is.EqualTo(StorageFailure.Unavailable), "nobody vouches for that certificate");
        StorageException wrong = await Catch(Db.OpenAsync(app with { Password = "hunter2" }, new DbOptions(), TimeProvider.System));
        Assert.That((wrong.Failure, wrong.Message.Contains("hunter2")), Is.EqualTo((StorageFailure.Unavailable, false)));
        Assert.That(wrong.Message, Does.Contain("password"));
    }

    private static async Task<StorageException> Catch(Task task)
    {
        try
        {
            await task;
        }
        catch (StorageException e)
        {
            return e;
        }
        throw new AssertionException("nothing was thrown");
    }

    /// <summary>Eight writers, of messages and of users, that go on whatever happens and remember what was acknowledged.</summary>
    private sealed class Load : IDisposable
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly Lock _gate = new();
        private readonly List<string> _messages = [], _users = [];
        private readonly List<StorageFailure> _failures = [];
        private readonly Task _running;

        public Load(Db db, Chat chat) => _running = Task.WhenAll(Enumerable.Range(0, 8).Select(writer => Task.Run(() => RunAsync(db, chat, writer))));

        public int Acknowledged { get { lock (_gate) return _messages.Count + _users.Count; } }

        public int Refused { get { lock (_gate) return _failures.Count; } }

        public string[] AcknowledgedMessages { get { lock (_gate) return [.. _messages]; } }

        public string[] AcknowledgedUsers { get { lock (_gate) return [.. _users]; } }

        public StorageFailure[] Failures { get { lock (_gate) return [.. _failures]; } }

        public Task StopAsync()
        {
            _stop.Cancel();
            return _running;
        }

        public void Dispose() => _stop.Cancel();

        private async Task RunAsync(Db db, Chat chat, int writer)
        {
            for (int i = 0; !_stop.IsCancellationRequested; i++)
            {
                try
                {
                    if (writer % 2 == 0)
                    {
                        string name = $"user{writer}-{i}";
                        if (await db.Users.CreateAsync(new NewUser(name, "h", "", "", "Personal"), null) is not null) Keep(_users, name);
                    }
                    else
                    {
                        string id = Ids.New();
                        if (await db.Chats.AppendAsync(new ChatMessage { Id = id, CreatedAt = db.Now, UpdatedAt = db.Now, ChatId = chat.Id, UserId = chat.UserId })) Keep(_messages, id);
                    }
                }
                catch (StorageException e)
                {
                    lock (_gate) _failures.Add(e.Failure);
                    // As a client would: not again at once.
                    await Task.Delay(5);
                }
            }
        }

        private void Keep(List<string> list, string one)
        {
            lock (_gate) list.Add(one);
        }
    }
}
