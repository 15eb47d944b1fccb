using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Data.Sqlite;
using Turbo.Tests.Support;

namespace Turbo.Tests.Shipping;

/// <summary>The Dockerfile's image, built and run by the commands of docs/operating.md; only the host's port is a free one.</summary>
[TestFixture]
[Category(ShippingFolder.Category)]
internal sealed partial class ImageTests
{
    private static readonly Dictionary<string, string> s_environment = new() { ["OPENAI_API_KEY"] = "sk-of-the-host" };

    private readonly HttpClient _client = new();
    private string _block = null!;

    [OneTimeSetUp]
    public async Task BuildAsync()
    {
        _block = PrintedBlock.Of("docker build");
        await BashAsync(Repository.Root, PrintedBlock.Line(_block, "docker build"));
    }

    [TearDown]
    public async Task RemoveAsync()
    {
        await DockerAsync("rm", "--all", "--force", "--time", "0");
        await DockerAsync("volume", "rm", "--all", "--force");
    }

    [OneTimeTearDown]
    public void Close() => _client.Dispose();

    [Test]
    public async Task It_is_of_this_commit_and_has_no_shell()
    {
        string commit = (await BashAsync(Repository.Root, "git rev-parse HEAD")).Trim();
        Assert.That(await DockerAsync("run", "--rm", "turbo", "version"), Does.Contain(commit[..12]));
        using TurboProcess shell = ShippingFolder.Start(Repository.Root, s_environment, ShippingFolder.File("bin/docker"), "run", "--rm", "--entrypoint", "sh", "turbo", "-c", "true");
        Assert.That(await shell.ExitAsync(), Is.Not.Zero);
    }

    /// <summary>Until Ctrl-C.</summary>
    [Test]
    public async Task To_try_it_no_key_is_needed_and_nothing_is_kept()
    {
        (string line, Uri address) = WithFreePort(PrintedBlock.Line(_block, "docker run --rm"));
        using TurboProcess run = ShippingFolder.Start(Repository.Root, new Dictionary<string, string>(), "bash", "-c", $"exec {line}");
        await ServesAsync(address);
        string token = await SignUpAsync(address);
        using HttpRequestMessage models = new(System.Net.Http.HttpMethod.Get, new Uri(address, "v1/models")) { Headers = { Authorization = new("Bearer", token) } };
        using HttpResponseMessage answer = await _client.SendAsync(models);
        Assert.That(await answer.Content.ReadAsStringAsync(), Does.Contain("turbo-mock"));

        run.Signal("INT");
        Assert.That(await run.ExitAsync(), Is.Zero, run.Error);
        Assert.That(await DockerAsync("ps", "--all", "--quiet"), Is.Empty);
        Assert.That(await DockerAsync("volume", "ls", "--quiet"), Is.Empty);
    }

    [Test]
    public async Task It_serves_as_a_user_without_rights_with_the_hosts_key()
    {
        Uri address = await RunAsync();
        await ServesAsync(address);
        string process = $"/proc/{await InspectAsync(".State.Pid")}";
        Assert.That(await File.ReadAllTextAsync($"{process}/status"), Does.Match(@"(?m)^Uid:\t1654\t1654\t1654\t1654$").And.Match(@"(?m)^Gid:\t1654\t1654\t1654\t1654$").And.Match("(?m)^CapEff:\t0+$"));
        Assert.That((await File.ReadAllTextAsync($"{process}/environ")).Split('\0'), Does.Contain("OPENAI_API_KEY=sk-of-the-host"));
    }

    /// <summary>Asked for by hand: Podman leaves the interval to systemd, which is not on every machine.</summary>
    [Test]
    public async Task Its_health_check_turns_healthy()
    {
        await ServesAsync(await RunAsync());
        await DockerAsync("healthcheck", "run", "turbo");
        Assert.That(await InspectAsync(".State.Health.Status"), Is.EqualTo("healthy"));
    }

    [Test]
    public async Task Its_users_are_listed_and_its_backup_is_copied_out()
    {
        using TempFolder folder = new();
        Uri address = await RunAsync();
        await ServesAsync(address);
        await SignUpAsync(address);
        Assert.That(await BashAsync(folder.Path, PrintedBlock.Line(_block, "docker exec turbo turbo admin list")), Does.Contain("\tann\t"));
        await BashAsync(folder.Path, PrintedBlock.Line(_block, "docker exec turbo turbo admin backup"));
        await using SqliteConnection backup = new($"Data Source={folder.File("backup.db")};Pooling=false;Mode=ReadOnly");
        await backup.OpenAsync();
        await using SqliteCommand query = new("SELECT username FROM users", backup);
        Assert.That(await query.ExecuteScalarAsync(), Is.EqualTo("ann"));
    }

    [Test]
    public async Task It_stops_in_order_and_starts_again_with_what_it_had()
    {
        Uri address = await RunAsync();
        await ServesAsync(address);
        await SignUpAsync(address);
        await DockerAsync("stop", "turbo");
        Assert.That(await InspectAsync(".State.ExitCode"), Is.EqualTo("0"));
        Assert.That(await DockerAsync("logs", "turbo"), Does.Contain(" info stopping\n"));

        // A new container on the same volume, as after an update.
        await DockerAsync("rm", "turbo");
        address = await RunAsync();
        await ServesAsync(address);
        using HttpResponseMessage login = await _client.PostAsync(new Uri(address, "user/login"), Ann());
        Assert.That(login.StatusCode, Is.EqualTo(HttpStatusCode.OK));
    }

    [Test]
    public async Task It_needs_no_privilege()
    {
        string options = Privileges().Match(Repository.Read("docs/operating.md")).Groups[1].Value;
        // Podman alone puts a writable /tmp, /run and /var/tmp on a read-only container.
        Uri address = await RunAsync($"{options} --read-only-tmpfs=false");
        await ServesAsync(address);
        await SignUpAsync(address);
        string status = await File.ReadAllTextAsync($"/proc/{await InspectAsync(".State.Pid")}/status");
        Assert.That(status, Does.Match("(?m)^CapBnd:\t0+$").And.Match("(?m)^NoNewPrivs:\t1$"));
        Assert.That(await InspectAsync(".HostConfig.ReadonlyRootfs"), Is.EqualTo("true"));
        await DockerAsync("stop", "turbo");
        Assert.That(await InspectAsync(".State.ExitCode"), Is.EqualTo("0"));
    }

    /// <summary>It has to belong to the image's user, as the page says.</summary>
    [Test]
    public async Task A_folder_of_the_host_may_take_the_volumes_place()
    {
        using TempFolder folder = new();
        await BashAsync(folder.Path, "chmod 700 . && chown 1654 .");
        Uri address = await RunAsync(volume: folder.Path);
        await ServesAsync(address);
        await SignUpAsync(address);
        Assert.That(await BashAsync(folder.Path, "stat -c '%a %u' turbo.db"), Is.EqualTo("600 1654\n"));
    }

    /// <summary>The server of the page, in the background.</summary>
    private async Task<Uri> RunAsync(string options = "", string volume = "turbo")
    {
        (string line, Uri address) = WithFreePort(PrintedBlock.Line(_block, "docker run -d"));
        line = line.Replace("-v turbo:", $"-v {volume}:", StringComparison.Ordinal);
        if (options.Length > 0) line = line.Replace("docker run -d", $"docker run -d {options}", StringComparison.Ordinal);
        await BashAsync(Repository.Root, line);
        return address;
    }

    private static (string Line, Uri Address) WithFreePort(string line)
    {
        int port = Docs.ShellPage.FreePort();
        Assert.That(line, Does.Contain(" -p 8080:8080 "));
        return (line.Replace("-p 8080:", $"-p {port}:", StringComparison.Ordinal), new Uri($"http://localhost:{port}/"));
    }

    private async Task ServesAsync(Uri address) => Assert.That(await BashAsync(Repository.Root, $"until curl -sf {address}healthz; do sleep 0.1; done"), Is.EqualTo("""{"status":"ok"}"""));

    private async Task<string> SignUpAsync(Uri address)
    {
        using HttpResponseMessage answer = await _client.PostAsync(new Uri(address, "user/signup"), Ann());
        using JsonDocument content = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
        return content.RootElement.GetProperty("Token").GetString()!;
    }

    private static FormUrlEncodedContent Ann() => new(new Dictionary<string, string> { ["username"] = "ann", ["password"] = "correct horse" });

    private static async Task<string> InspectAsync(string value) => (await DockerAsync("inspect", "--type", "container", "--format", $"{{{{{value}}}}}", "turbo")).Trim();

    private static Task<string> BashAsync(string folder, string code) => ShippingFolder.PrintedAsync(folder, s_environment, "bash", "-c", code);

    private static Task<string> DockerAsync(params string[] args) => ShippingFolder.PrintedAsync(Repository.Root, s_environment, ShippingFolder.File("bin/docker"), args);

    [GeneratedRegex("It needs no privilege: `([^`]+)`")]
    private static partial Regex Privileges();
}
