using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Turbo.Net;
using Turbo.Server;
using Turbo.Server.Logging;

namespace Turbo.Tests.Server;

/// <summary>Contract section 1: environment to one validated record, or to one line.</summary>
[TestFixture]
internal sealed class AppOptionsTests
{
    private static AppOptions Read(params (string Name, string Value)[] environment)
    {
        bool good = AppOptions.TryRead(Environment(environment), out AppOptions? options, out string? error);
        Assert.That(error, Is.Null);
        Assert.That(good);
        return options!;
    }

    private static string Error(params (string Name, string Value)[] environment)
    {
        bool good = AppOptions.TryRead(Environment(environment), out AppOptions? options, out string? error);
        Assert.That(good, Is.False, "the value was accepted");
        Assert.That(options, Is.Null);
        return error!;
    }

    private static Func<string, string?> Environment((string Name, string Value)[] environment)
    {
        var variables = environment.ToDictionary(e => e.Name, e => e.Value);
        foreach (string name in variables.Keys) Assert.That(AppOptions.Table.Select(row => row.Name), Does.Contain(name));
        return name => variables.GetValueOrDefault(name);
    }

    [Test]
    public void An_empty_environment_gives_the_contracts_defaults()
    {
        AppOptions options = AppOptions.Defaults;
        Assert.Multiple(() =>
        {
            Assert.That(options.Addresses.Single().ToString(), Is.EqualTo(":8080"));
            Assert.That(options.Upstream.ToString(), Is.EqualTo("https://api.openai.com"));
            Assert.That(options.OpenAiApiKey, Is.Empty);
            Assert.That(options.Database, Is.EqualTo(new SqliteAddress("turbo.db")));
            Assert.That(options.Redis, Is.Null);
            Assert.That(options.TlsCertFile + options.TlsKeyFile, Is.Empty);
            Assert.That(options.ProxyAuth, Is.EqualTo(ProxyAuth.Session));
            Assert.That(options.CorsOrigins, Is.EqualTo(["*"]));
            Assert.That(options.TrustedProxies, Is.Empty);
            Assert.That(options.LogFormat, Is.EqualTo(LogFormat.Text));
            Assert.That(options.LogLevel, Is.EqualTo(LogLevel.Info));
            Assert.That(options.EventBodiesBytes, Is.EqualTo(65536));
            Assert.That(options.EventRetention, Is.Null);
            Assert.That(options.ConnectTimeout, Is.EqualTo(TimeSpan.FromSeconds(5)));
            Assert.That(options.FirstByteTimeout, Is.EqualTo(TimeSpan.FromSeconds(300)));
            Assert.That(options.IdleTimeout, Is.EqualTo(TimeSpan.FromSeconds(300)));
            Assert.That(options.SseKeepAlive, Is.Null);
            Assert.That(options.ShutdownTimeout, Is.EqualTo(TimeSpan.FromSeconds(30)));
            Assert.That(options.BcryptCost, Is.EqualTo(10));
            Assert.That(options.LoginAttempts, Is.EqualTo(10));
            Assert.That(options.ChatContext, Is.EqualTo(10));
            Assert.That(options.ChatContextBytes, Is.EqualTo(16384));
            Assert.That(options.ModelAliases, Is.EquivalentTo(new Dictionary<string, string> { ["gpt-3"] = "gpt-3.5-turbo" }));
            Assert.That(options.Metrics);
        });
    }

    [Test]
    public void The_tables_limits_are_the_servers_own_defaults() =>
        Assert.That(AppOptions.Defaults.Limits, Is.EqualTo(new ServerLimits { MaxBodyBytes = 1 << 20 }));

    [TestCase("MAX_CONNECTIONS", "7", "MaxConnections = 7")]
    [TestCase("MAX_REQUEST_LINE", "1K", "MaxRequestLineBytes = 1024")]
    [TestCase("MAX_HEADER_BYTES", "1K", "MaxHeaderBytes = 1024")]
    [TestCase("MAX_HEADER_FIELDS", "9", "MaxHeaderFields = 9")]
    [TestCase("MAX_TRAILER_BYTES", "0", "MaxTrailerBytes = 0")]
    [TestCase("MAX_CHUNK_EXTENSION_BYTES", "1K", "MaxChunkExtensionBytes = 1024")]
    [TestCase("MAX_BODY", "2G", null)]
    [TestCase("MAX_BODY", "1K", "MaxBodyBytes = 1024")]
    [TestCase("MAX_REQUESTS_PER_CONNECTION", "3", "MaxRequestsPerConnection = 3")]
    [TestCase("HEADER_TIMEOUT", "250ms", "HeaderTimeout = 00:00:00.2500000")]
    [TestCase("BODY_TIMEOUT", "1m", "BodyTimeout = 00:01:00")]
    [TestCase("KEEPALIVE_TIMEOUT", "1h", "KeepAliveTimeout = 01:00:00")]
    [TestCase("WRITE_TIMEOUT", "2s", "WriteTimeout = 00:00:02")]
    public void Each_limit_reaches_the_server(string name, string text, string? member)
    {
        if (member is null) Assert.That(Error((name, text)), Does.StartWith($"turbo: {name}=\"{text}\": expected "));
        else Assert.That(Read((name, text)).Limits.ToString(), Does.Contain(" " + member));
    }

    [Test]
    public void An_empty_variable_is_an_unset_one()
    {
        string Values(AppOptions options) => string.Join('\n', typeof(AppOptions).GetProperties().Where(p => p.GetMethod!.IsStatic is false)
            .Select(p => p.GetValue(options) is System.Collections.IEnumerable many ? string.Join(' ', many.Cast<object>()) : $"{p.GetValue(options)}"));
        foreach (OptionRow row in AppOptions.Table)
            Assert.That(Values(Read((row.Name, ""))), Is.EqualTo(Values(AppOptions.Defaults)), row.Name);
        Assert.That(Values(Read(("LOG_LEVEL", "warn"))), Is.Not.EqualTo(Values(AppOptions.Defaults)));
    }

    [Test]
    public void The_record_does_not_print_its_secrets()
    {
        AppOptions options = Read(("OPENAI_API_KEY", "sk-abc"));
        Assert.That(options.OpenAiApiKey, Is.EqualTo("sk-abc"));
        Assert.That(options.ToString(), Does.Not.Contain("sk-abc"));
    }

    [Test]
    public void Every_default_that_is_shown_as_a_value_is_accepted_as_one()
    {
        foreach (OptionRow row in AppOptions.Table)
        {
            var read = AppOptions.Defaults;
            Assert.That(row.Read(row.Default, ref read), Is.Null, row.Name);
            if (row.Default.Length > 0) Assert.That(row.DefaultShown, Is.EqualTo(row.Default));
            else Assert.That(row.DefaultShown, Is.Not.Empty, row.Name);
        }
    }

    [Test]
    public void Each_variable_stands_in_the_table_once() =>
        Assert.That(AppOptions.Table.Select(row => row.Name), Is.Unique);

    [TestCase(":8080", ":8080")]
    [TestCase(":0", ":0")]
    [TestCase("127.0.0.1:65535", "127.0.0.1:65535")]
    [TestCase("localhost:80", "localhost:80")]
    [TestCase("a_b.example-1.org:80", "a_b.example-1.org:80")]
    [TestCase("[::1]:8080", "[::1]:8080")]
    [TestCase("[::]:0", "[::]:0")]
    [TestCase(":8080, 127.0.0.1:1,[::1]:2", ":8080 127.0.0.1:1 [::1]:2")]
    public void Address_good(string text, string expected) =>
        Assert.That(string.Join(' ', Read(("ADDRESS", text)).Addresses), Is.EqualTo(expected));

    [TestCase("8080")]
    [TestCase("localhost")]
    [TestCase("127.0.0.1")]
    [TestCase("[::1]")]
    [TestCase("::1:8080")]         // which colon is the port's?
    [TestCase("::1")]
    [TestCase(":")]
    [TestCase("localhost:")]
    [TestCase(":+80")]
    [TestCase(":-1")]
    [TestCase(":65536")]
    [TestCase(":080808")]
    [TestCase(":80 80")]
    [TestCase(": 80")]
    [TestCase(":http")]
    [TestCase(":٨٠")]              // digits, but not ASCII ones
    [TestCase("[127.0.0.1]:80")]
    [TestCase("[::1:80")]
    [TestCase("[::1]80")]
    [TestCase("[::1] :80")]
    [TestCase("256.0.0.1:80")]
    [TestCase("1:80")]             // inet_aton's 0.0.0.1
    [TestCase("0x7f.1:80")]
    [TestCase("127.1:80")]
    [TestCase("-a:80")]
    [TestCase("a..b:80")]
    [TestCase("exa mple:80")]
    [TestCase("http://localhost:80")]
    [TestCase(":8080,")]
    [TestCase(",:8080")]
    [TestCase(":8080;:8081")]
    public void Address_bad(string text) =>
        Assert.That(Error(("ADDRESS", text)), Is.EqualTo(
            $"turbo: ADDRESS=\"{text}\": expected :PORT, HOST:PORT or [IPV6]:PORT with a port from 0 to 65535, several separated by commas"));

    [TestCase("https://api.openai.com", "https://api.openai.com")]
    [TestCase("https://api.openai.com/", "https://api.openai.com")]
    [TestCase("https://api.openai.com/v1", "https://api.openai.com")]
    [TestCase("https://api.openai.com/v1/", "https://api.openai.com")]
    [TestCase("https://api.openai.com/v1/v1//", "https://api.openai.com")]
    [TestCase("HTTPS://API.OpenAI.com:443/v1", "https://api.openai.com")]
    [TestCase("http://127.0.0.1:9090", "http://127.0.0.1:9090")]
    [TestCase("http://127.0.0.1:80", "http://127.0.0.1")]
    [TestCase("http://h:443", "http://h:443")]
    [TestCase("http://[::1]:9090/v1", "http://[::1]:9090")]
    [TestCase("http://[::1]", "http://[::1]")]
    [TestCase("https://gw.example/team/a", "https://gw.example/team/a")]
    [TestCase("https://gw.example/team/a/v1/", "https://gw.example/team/a")]
    [TestCase("https://gw.example/a%2Fb/v1", "https://gw.example/a%2Fb")]
    [TestCase("https://gw.example/av1", "https://gw.example/av1")]
    [TestCase("https://gw.example/V1", "https://gw.example/V1")]
    [TestCase("https://me.openai.azure.com", "https://me.openai.azure.com/openai")]
    [TestCase("https://me.openai.azure.com/openai/v1/", "https://me.openai.azure.com/openai")]
    [TestCase("https://Me.OpenAI.Azure.com/openai", "https://me.openai.azure.com/openai")]
    public void Upstream_good(string text, string expected)
    {
        UpstreamTarget target = Read(("OPENAI_API_URL", text)).Upstream;
        Assert.That(target.ToString(), Is.EqualTo(expected));
        Assert.That(target.IsTls, Is.EqualTo(expected.StartsWith("https", StringComparison.Ordinal)));
        Assert.That(target.IsAzure, Is.EqualTo(text.Contains("azure", StringComparison.OrdinalIgnoreCase)));
        Assert.That(Encoding.ASCII.GetString(target.PathPrefix.Span), Does.Not.EndWith("/").And.Not.EndWith("/v1"));
    }

    [TestCase("api.openai.com", null)]
    [TestCase("//api.openai.com", null)]
    [TestCase("ftp://api.openai.com", null)]
    [TestCase("http://", null)]
    [TestCase("https:///v1", null)]
    [TestCase("https://:8080", null)]
    [TestCase("https://h:0", null)]
    [TestCase("https://h:65536", null)]
    [TestCase("https://h:", null)]
    [TestCase("https://h h", null)]
    [TestCase("https://h/ü", null)]
    [TestCase("https://h/%zz", null)]
    [TestCase("https://h/v1?", null)]
    [TestCase("https://h/v1?a=b", null)]
    [TestCase("https://h/#x", null)]
    [TestCase("https://1.2.3", null)]
    [TestCase("https://[::1", null)]
    [TestCase("https://[fe80::1%25eth0]/", null)]
    [TestCase("https://user:hunter2@h/v1", "https://user:***@h/v1")]
    [TestCase("https://sk-abc@h/v1", "https://***@h/v1")]
    [TestCase("https://h/v1?api-key=sk-abc&x=1", "https://h/v1?api-key=***&x=1")]
    public void Upstream_bad(string text, string? shown) =>
        Assert.That(Error(("OPENAI_API_URL", text)), Is.EqualTo(
            $"turbo: OPENAI_API_URL=\"{shown ?? text}\": expected http://HOST or https://HOST, with a port and a path if need be, without user, query or fragment"));

    [TestCase("sqlite:turbo.db", "turbo.db")]
    [TestCase("sqlite:/var/lib/turbo/turbo.db", "/var/lib/turbo/turbo.db")]
    [TestCase("sqlite:///var/lib/turbo.db", "///var/lib/turbo.db")]
    [TestCase("sqlite:with space.db", "with space.db")]
    public void Sqlite_good(string text, string path) =>
        Assert.That(Read(("DB_ADDRESS", text)).Database, Is.EqualTo(new SqliteAddress(path)));

    [TestCase("turbo.db", null)]
    [TestCase("sqlite:", null)]
    [TestCase("sqlite:/var/lib/", null)]
    [TestCase("sqlite://turbo.db", null)]
    [TestCase("sqlite::memory:", null)]
    [TestCase("SQLITE:turbo.db", null)]
    [TestCase("mysql://h/db", null)]
    [TestCase("postgres://u:hunter2@h:x/db", "postgres://u:***@h:x/db")]
    [TestCase("postgres://u:hun/ter@2@h/db", "postgres://u:***@h/db")]     // a password that was not percent-encoded
    [TestCase("postgres://u:p@h/db?sslmode=on", "postgres://u:***@h/db?sslmode=on")]
    [TestCase("postgres://h/db?sslmode=disable&x=1", null)]
    [TestCase("postgres://h/db?password=hunter2", "postgres://h/db?password=***")]
    [TestCase("postgres://h/a/b", null)]
    [TestCase("host=h user=u password=hunter2 dbname=d", "host=h user=u password=*** dbname=d")]
    public void Database_bad(string text, string? shown) =>
        Assert.That(Error(("DB_ADDRESS", text)), Is.EqualTo(
            $"turbo: DB_ADDRESS=\"{shown ?? text}\": expected sqlite:PATH or postgres://USER:PASSWORD@HOST:PORT/DB?sslmode=MODE"));

    [TestCase("postgres://u:p%40ss@db.example:6000/app?sslmode=verify-full", "u", "p@ss", "db.example", 6000, "app", PostgresTls.VerifyFull)]
    [TestCase("postgresql://u@h/app", "u", null, "h", 5432, "app", PostgresTls.Prefer)]
    [TestCase("postgres://u:@[::1]", "u", "", "::1", 5432, "u", PostgresTls.Prefer)]
    [TestCase("postgres://u@/app?sslmode=disable", "u", null, "localhost", 5432, "app", PostgresTls.Disable)]
    public void Postgres_parts(string text, string user, string? password, string host, int port, string database, PostgresTls tls)
    {
        Assert.That(DbAddress.TryParse(text, out DbAddress address));
        Assert.That(address, Is.EqualTo(new PostgresAddress { Host = host, Port = port, User = user, Password = password, Database = database, Tls = tls }));
        if (password is { Length: > 0 }) Assert.That(address.ToString(), Does.Not.Contain(password));
    }

    [TestCase("redis://h", false, "h", 6379, null, null, 0)]
    [TestCase("rediss://:s3cret@h:7000/2", true, "h", 7000, null, "s3cret", 2)]
    [TestCase("redis://u:p%2F@[::1]/", false, "::1", 6379, "u", "p/", 0)]
    public void Redis_parts(string text, bool isTls, string host, int port, string? user, string? password, int database)
    {
        Assert.That(RedisAddress.TryParse(text, out RedisAddress address));
        Assert.That(address, Is.EqualTo(new RedisAddress { IsTls = isTls, Host = host, Port = port, User = user, Password = password, Database = database }));
        if (password is not null) Assert.That(address.ToString(), Does.Not.Contain(password));
    }

    [TestCase("redis", null)]
    [TestCase("redis://", null)]
    [TestCase("redis://h/x", null)]
    [TestCase("redis://h/-1", null)]
    [TestCase("redis://h?db=1", null)]
    [TestCase("http://h", null)]
    [TestCase("redis://:hunter2@h:0", "redis://:***@h:0")]
    public void Redis_bad(string text, string? shown) =>
        Assert.That(Error(("REDIS_ADDRESS", text)), Is.EqualTo(
            $"turbo: REDIS_ADDRESS=\"{shown ?? text}\": expected redis://:PASSWORD@HOST:PORT/DB, or rediss:// for TLS"));

    [TestCase("EVENT_BODIES", "0", 0)]
    [TestCase("EVENT_BODIES", "10M", 10 << 20)]
    [TestCase("EVENT_BODIES", "16m", 16 << 20)]
    [TestCase("EVENT_BODIES", "500", 500)]
    public void Size_good(string name, string text, long bytes) => Assert.That(Read((name, text)).EventBodiesBytes, Is.EqualTo(bytes));

    [TestCase("-1")]
    [TestCase("+1")]
    [TestCase("1.5M")]
    [TestCase("1KB")]
    [TestCase("1 K")]
    [TestCase("K")]
    [TestCase("0x10")]
    [TestCase("16777217")]
    [TestCase("9223372036854775808")]
    [TestCase("9223372036854775807G")]
    public void Size_bad(string text) =>
        Assert.That(Error(("EVENT_BODIES", text)), Is.EqualTo(
            $"turbo: EVENT_BODIES=\"{text}\": expected a size in bytes from 0 to 16M, such as 500, 64K, 10M or 1G"));

    [TestCase("500ms", 0.5)]
    [TestCase("30s", 30)]
    [TestCase("5m", 300)]
    [TestCase("12h", 43200)]
    [TestCase("1d", 86400)]
    [TestCase("1ms", 0.001)]
    public void Duration_good(string text, double seconds) =>
        Assert.That(Read(("SHUTDOWN_TIMEOUT", text)).ShutdownTimeout, Is.EqualTo(TimeSpan.FromSeconds(seconds)));

    [TestCase("30")]
    [TestCase("0s")]
    [TestCase("-5s")]
    [TestCase("1.5s")]
    [TestCase("5 s")]
    [TestCase("1m30s")]
    [TestCase("5S")]
    [TestCase("5us")]
    [TestCase("s")]
    [TestCase("25h")]
    [TestCase("99999999999999999999s")]
    [TestCase("922337203685477580d")]
    public void Duration_bad(string text) =>
        Assert.That(Error(("SHUTDOWN_TIMEOUT", text)), Is.EqualTo(
            $"turbo: SHUTDOWN_TIMEOUT=\"{text}\": expected a duration from 1ms to 1d, such as 500ms, 30s, 5m, 12h or 30d"));

    [Test]
    public void A_word_may_stand_for_no_duration()
    {
        Assert.That(Read(("EVENT_RETENTION", "keep")).EventRetention, Is.Null);
        Assert.That(Read(("EVENT_RETENTION", "30d")).EventRetention, Is.EqualTo(TimeSpan.FromDays(30)));
        Assert.That(Error(("EVENT_RETENTION", "never")), Is.EqualTo(
            "turbo: EVENT_RETENTION=\"never\": expected keep, or a duration from 1h to 36500d, such as 500ms, 30s, 5m, 12h or 30d"));
    }

    [TestCase("PROXY_AUTH", "Session", "session, passthrough or none")]
    [TestCase("PROXY_AUTH", "open", "session, passthrough or none")]
    [TestCase("LOG_FORMAT", "xml", "text or json")]
    [TestCase("LOG_LEVEL", "warning", "debug, info, warn or error")]
    [TestCase("METRICS", "yes", "on, off, true, false, 1 or 0")]
    [TestCase("MAX_CONNECTIONS", "0", "a whole number from 1 to 1000000")]
    [TestCase("MAX_CONNECTIONS", "1e3", "a whole number from 1 to 1000000")]
    [TestCase("BCRYPT_COST", "3", "a whole number from 4 to 16")]
    [TestCase("USERS_PER_CALL", "1025", "a whole number from 1 to 1024")]
    [TestCase("MODEL_ALIASES", "gpt-3", "NAME=MODEL pairs separated by commas, each name once")]
    [TestCase("MODEL_ALIASES", "a=b,a=c", "NAME=MODEL pairs separated by commas, each name once")]
    [TestCase("MODEL_ALIASES", "=b", "NAME=MODEL pairs separated by commas, each name once")]
    [TestCase("CORS_ORIGINS", "app.example", "*, or origins such as https://app.example:8443, separated by commas")]
    [TestCase("CORS_ORIGINS", "https://app.example/", "*, or origins such as https://app.example:8443, separated by commas")]
    [TestCase("CORS_ORIGINS", "*,https://a", "*, or origins such as https://app.example:8443, separated by commas")]
    [TestCase("CORS_ORIGINS", "null", "*, or origins such as https://app.example:8443, separated by commas")]
    [TestCase("TRUSTED_PROXIES", "10.0.0.5/8", "IP addresses or networks such as 10.0.0.0/8, separated by commas")]
    [TestCase("TRUSTED_PROXIES", "10.0.0.0/33", "IP addresses or networks such as 10.0.0.0/8, separated by commas")]
    [TestCase("TRUSTED_PROXIES", "10", "IP addresses or networks such as 10.0.0.0/8, separated by commas")]
    [TestCase("TRUSTED_PROXIES", "proxy.example", "IP addresses or networks such as 10.0.0.0/8, separated by commas")]
    public void Others_bad(string name, string text, string accepted) =>
        Assert.That(Error((name, text)), Is.EqualTo($"turbo: {name}=\"{text}\": expected {accepted}"));

    [TestCase("*", "*")]
    [TestCase("https://a.example, http://LOCALHOST:3000", "https://a.example http://localhost:3000")]
    [TestCase("https://a.example:443,http://[::1]:80", "https://a.example http://[::1]")]
    public void Cors_origins(string text, string expected) =>
        Assert.That(string.Join(' ', Read(("CORS_ORIGINS", text)).CorsOrigins), Is.EqualTo(expected));

    [TestCase("10.1.2.3", true)]
    [TestCase("11.1.2.3", false)]
    [TestCase("::ffff:10.1.2.3", true)]
    [TestCase("::ffff:192.0.2.1", true)]
    [TestCase("192.0.2.2", false)]
    [TestCase("fd00::1", true)]
    [TestCase("fe00::1", false)]
    public void Trusted_proxies(string peer, bool trusted)
    {
        AppOptions options = Read(("TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.1, fd00::/8"));
        Assert.That(options.IsTrustedProxy(IPAddress.Parse(peer)), Is.EqualTo(trusted));
        Assert.That(AppOptions.Defaults.IsTrustedProxy(IPAddress.Parse(peer)), Is.False);
    }

    [TestCase("OPENAI_API_KEY", "sk-a b")]
    [TestCase("OPENAI_API_KEY", "sk-a\r\nX-Injected: 1")]
    [TestCase("METRICS_TOKEN", "tökén")]
    public void A_secret_is_never_shown(string name, string text) =>
        Assert.That(Error((name, text)), Is.EqualTo($"turbo: {name}=\"***\": expected printable ASCII without spaces"));

    [Test]
    public void An_error_is_one_line_whatever_the_value_holds()
    {
        Assert.That(Error(("LOG_LEVEL", "a\nb\r\u2028\u001b[31m\u202e\ud800")), Is.EqualTo(
            "turbo: LOG_LEVEL=\"a\\u{a}b\\u{d}\\u{2028}\\u{1b}[31m\\u{202e}\ufffd\": expected debug, info, warn or error"));
        string line = Error(("LOG_LEVEL", new string('x', 100_000)));
        Assert.That(line, Is.EqualTo($"turbo: LOG_LEVEL=\"{new string('x', 200)}…\": expected debug, info, warn or error"));
    }

    [Test]
    public void Of_several_errors_the_first_in_the_table_is_told() =>
        Assert.That(Error(("LOG_LEVEL", "x"), ("ADDRESS", "y")), Does.StartWith("turbo: ADDRESS=\"y\": "));

    [Test]
    public void Tls_needs_both_files_readable_and_fitting()
    {
        string folder = Directory.CreateTempSubdirectory("turbo-tls").FullName;
        try
        {
            string cert = Path.Combine(folder, "cert.pem"), key = Path.Combine(folder, "key.pem"), other = Path.Combine(folder, "other.pem"), encrypted = Path.Combine(folder, "encrypted.pem");
            using (var ecdsa = ECDsa.Create(ECCurve.NamedCurves.nistP256))
            using (var wrong = ECDsa.Create(ECCurve.NamedCurves.nistP256))
            {
                var request = new CertificateRequest("CN=localhost", ecdsa, HashAlgorithmName.SHA256);
                using X509Certificate2 made = request.CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddDays(1));
                File.WriteAllText(cert, made.ExportCertificatePem());
                File.WriteAllText(key, ecdsa.ExportPkcs8PrivateKeyPem());
                File.WriteAllText(other, wrong.ExportPkcs8PrivateKeyPem());
                File.WriteAllText(encrypted, ecdsa.ExportEncryptedPkcs8PrivateKeyPem("secret", new PbeParameters(PbeEncryptionAlgorithm.Aes128Cbc, HashAlgorithmName.SHA256, 1000)));
            }
            Assert.Multiple(() =>
            {
                Assert.That(Error(("TLS_CERT", cert)), Is.EqualTo("turbo: TLS_KEY=\"\": expected the path of the key of TLS_CERT, since that is set"));
                Assert.That(Error(("TLS_KEY", key)), Is.EqualTo("turbo: TLS_CERT=\"\": expected the path of the certificate of TLS_KEY, since that is set"));
                Assert.That(Error(("TLS_CERT", cert), ("TLS_KEY", other)), Is.EqualTo($"turbo: TLS_CERT=\"{cert}\": expected a PEM certificate that fits the private key in {other}"));
                Assert.That(Error(("TLS_CERT", key), ("TLS_KEY", key)), Is.EqualTo($"turbo: TLS_CERT=\"{key}\": expected PEM certificates, the first one the server's, RSA or EC"));
                Assert.That(Error(("TLS_CERT", cert), ("TLS_KEY", cert)), Is.EqualTo($"turbo: TLS_KEY=\"{cert}\": expected an unencrypted PEM private key, RSA or EC"));
                Assert.That(Error(("TLS_CERT", cert), ("TLS_KEY", encrypted)), Is.EqualTo($"turbo: TLS_KEY=\"{encrypted}\": expected an unencrypted PEM private key: this one has a passphrase"));
                Assert.That(Error(("TLS_CERT", cert + ".no"), ("TLS_KEY", key)), Is.EqualTo($"turbo: TLS_CERT=\"{cert}.no\": expected the path of a readable PEM file"));
                Assert.That(Error(("TLS_CERT", cert), ("TLS_KEY", folder)), Is.EqualTo($"turbo: TLS_KEY=\"{folder}\": expected the path of a readable PEM file"));
                Assert.That(TlsPair.Check(cert, key), Is.Null);
            });
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
