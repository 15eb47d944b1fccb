using Turbo.Tests.Support;

namespace Turbo.Tests.Shipping;

/// <summary>The release, unpacked on a machine with systemd and installed by the commands of docs/operating.md.</summary>
[TestFixture]
[Category(ShippingFolder.Category)]
internal sealed class SystemdTests
{
    private Machine _machine = null!;
    private string _printed = null!;

    [OneTimeSetUp]
    public async Task InstallAsync()
    {
        string archive = new FileInfo(ShippingFolder.File("turbo.tar.gz")).ResolveLinkTarget(true)!.FullName;
        _machine = await Machine.BootAsync(archive);
        try
        {
            await _machine.RunAsync("cd /srv && tar -xzf turbo.tar.gz --no-same-owner");
            // Its last command follows the log until it is stopped.
            using TurboProcess block = _machine.Start($"cd /srv/turbo-*/\n{PrintedBlock.Of("install -m 755 turbo")}");
            await block.LineAsync(" info GET /healthz 200 ");
            Assert.That(block.Error, Is.Empty.Or.Match("^Created symlink [^\n]*\n$"));
            _printed = block.Out;
        }
        catch
        {
            await _machine.DisposeAsync();
            throw;
        }
    }

    [OneTimeTearDown]
    public async Task PowerOffAsync()
    {
        if (_machine is not null) await _machine.DisposeAsync();
    }

    [Test]
    public void The_log_tells_that_it_serves() => Assert.That(_printed, Does.Contain(" info listening on http://[::]:8080").And.Contain("database SQLite turbo.db"));

    [Test]
    public async Task Files_are_for_whom_they_should_be()
    {
        string modes = await _machine.RunAsync("stat -Lc '%n %a %U' /usr/local/bin/turbo /etc/systemd/system/turbo.service /etc/turbo.env; stat -Lc '%n %a' /var/lib/turbo /var/lib/turbo/turbo.db");
        Assert.That(modes.TrimEnd('\n').Split('\n'), Is.EqualTo(new[]
        {
            "/usr/local/bin/turbo 755 root",
            "/etc/systemd/system/turbo.service 644 root",
            "/etc/turbo.env 600 root",
            "/var/lib/turbo 700",
            "/var/lib/turbo/turbo.db 600",
        }));
    }

    [Test]
    public async Task It_starts_with_the_machine_and_is_a_user_without_rights()
    {
        Assert.That(await _machine.RunAsync("systemctl is-enabled turbo; systemctl is-active turbo"), Is.EqualTo("enabled\nactive\n"));
        string status = await _machine.RunAsync("cat /proc/$(systemctl show -P MainPID turbo)/status");
        Assert.That(status, Does.Match(@"(?m)^Uid:\t([1-9]\d{4,})\t\1\t\1\t\1$").And.Match("(?m)^CapBnd:\t0+$").And.Match("(?m)^NoNewPrivs:\t1$").And.Match("(?m)^Seccomp:\t2$"));
    }

    [Test]
    public async Task A_restart_keeps_the_users()
    {
        Assert.That(await _machine.CurlAsync("localhost:8080/user/signup", "-d", "username=ann", "-d", "password=correct horse"), Does.Contain("\"Token\""));
        await _machine.RunAsync("systemctl restart turbo");
        Assert.That(await _machine.CurlAsync("localhost:8080/user/login", "-d", "username=ann", "-d", "password=correct horse"), Does.Contain("\"Token\""));
        Assert.That(await _machine.RunAsync("DB_ADDRESS=sqlite:/var/lib/turbo/turbo.db turbo admin list"), Does.Contain("\tann\t"));
    }

    /// <summary>The mock refuses a key that begins so, and no other.</summary>
    [TestCase("sk-...", "turbo-mock")]
    [TestCase("sk-invalid", "invalid_api_key")]
    public async Task The_key_of_its_file_goes_upstream(string key, string answer)
    {
        using TurboProcess mock = _machine.Start("exec turbo mock 127.0.0.1:0");
        string address = (await mock.LineAsync("http://127.0.0.1:")).Split(' ').First(static word => word.StartsWith("http://", StringComparison.Ordinal)).TrimEnd(',', ';');
        await _machine.RunAsync($"""
            sed -i 's/^OPENAI_API_KEY=.*/OPENAI_API_KEY={key}/; /^OPENAI_API_URL/d' /etc/turbo.env
            printf 'OPENAI_API_URL=%s\nPROXY_AUTH=none\n' {address} >>/etc/turbo.env
            systemctl restart turbo
            """);
        Assert.That(await _machine.CurlAsync("localhost:8080/v1/models"), Does.Contain(answer));
    }

    /// <summary>By the unit's lines for it, in a drop-in.</summary>
    [Test]
    public async Task A_port_below_1024_and_a_certificate_that_root_alone_reads()
    {
        await _machine.RunAsync("""
            mkdir -p -m 700 /etc/ssl/turbo
            (umask 077 && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost \
              -addext subjectAltName=DNS:localhost -keyout /etc/ssl/turbo/key.pem -out /etc/ssl/turbo/cert.pem 2>/dev/null)
            mkdir -p /etc/systemd/system/turbo.service.d
            (echo '[Service]'; grep -E '^#[A-Z][A-Za-z]+=' /etc/systemd/system/turbo.service | cut -c 2-; echo Environment=ADDRESS=:443) \
              >/etc/systemd/system/turbo.service.d/override.conf
            systemctl daemon-reload
            systemctl restart turbo
            """);
        try
        {
            Assert.That(await _machine.CurlAsync("-k", "https://localhost/healthz"), Is.EqualTo("""{"status":"ok"}"""));
        }
        finally
        {
            await _machine.RunAsync("rm -r /etc/systemd/system/turbo.service.d; systemctl daemon-reload; systemctl restart turbo");
        }
    }

    [Test]
    public async Task It_stops_in_order()
    {
        await _machine.RunAsync("systemctl stop turbo");
        try
        {
            Assert.That(await _machine.RunAsync("for name in Result ExecMainStatus; do systemctl show -P $name turbo; done"), Is.EqualTo("success\n0\n"));
            Assert.That(await _machine.RunAsync("journalctl -u turbo -o cat"), Does.Contain(" info stopping\n"));
        }
        finally
        {
            await _machine.RunAsync("systemctl start turbo");
        }
    }

    /// <summary>Trying again would not mend it.</summary>
    [Test]
    public async Task A_mistake_in_the_configuration_is_told_once()
    {
        await _machine.RunAsync("echo MAX_BODY=much >>/etc/turbo.env; systemctl restart turbo || true");
        try
        {
            Assert.That(await _machine.RunAsync("for name in ActiveState ExecMainStatus NRestarts; do systemctl show -P $name turbo; done"), Is.EqualTo("failed\n2\n0\n"));
            Assert.That(await _machine.RunAsync("journalctl -u turbo -o cat"), Does.Contain("MAX_BODY"));
        }
        finally
        {
            await _machine.RunAsync("sed -i /^MAX_BODY/d /etc/turbo.env; systemctl reset-failed turbo; systemctl restart turbo");
        }
    }
}
