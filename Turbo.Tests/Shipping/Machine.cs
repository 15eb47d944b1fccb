using System.Diagnostics;
using Turbo.Tests.Support;

namespace Turbo.Tests.Shipping;

/// <summary>
/// A machine of its own, as far as systemd is concerned: it boots in a container on the system of <see cref="ShippingFolder"/>,
/// which it does not change, with a loopback alone as its network.
/// </summary>
internal sealed class Machine : IAsyncDisposable
{
    private static readonly Dictionary<string, string> s_none = [];

    private readonly string _name = $"turbo-test-{Environment.ProcessId}";
    private readonly TurboProcess _container;
    private string _leader = "";

    private Machine(string archive)
    {
        _container = TurboProcess.StartProgram("systemd-nspawn", "/", s_none, "--boot", $"--directory={Path.TrimEndingDirectorySeparator(ShippingFolder.File("system"))}",
            "--volatile=overlay", $"--machine={_name}", "--register=no", "--keep-unit", "--private-network", "--console=pipe", $"--bind-ro={archive}:/srv/turbo.tar.gz");
        // For whoever cleans up after tests that were killed.
        File.WriteAllText(ShippingFolder.File("machine.pid"), _container.Id.ToString());
    }

    /// <summary>Boots it; the archive is /srv/turbo.tar.gz there.</summary>
    public static async Task<Machine> BootAsync(string archive)
    {
        Machine machine = new(archive);
        try
        {
            // Its first process, once there is one, and its systemd, once that answers.
            machine._leader = (await ShippingFolder.PrintedAsync("/", s_none, "bash", "-c",
                $"while kill -0 {machine._container.Id}; do pgrep -P {machine._container.Id} -x systemd && exit; sleep 0.1; done; exit 1")).Trim();
            await machine.RunAsync("until [ -S /run/systemd/private ]; do sleep 0.1; done; systemctl is-system-running --wait || true");
            return machine;
        }
        catch
        {
            await machine.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts a shell of it, as root.</summary>
    public TurboProcess Start(string code) => TurboProcess.StartProgram("nsenter", "/", s_none, [.. Words(code)]);

    /// <summary>What the commands print; the shell ends at the first that fails, which is a failure.</summary>
    public Task<string> RunAsync(string code) => ShippingFolder.PrintedAsync("/", s_none, "nsenter", [.. Words(code)]);

    /// <summary>The answer of what listens there to curl, which is this machine's.</summary>
    public Task<string> CurlAsync(params string[] args) => ShippingFolder.PrintedAsync("/", s_none, "nsenter", ["--net", "--target", _leader, "curl", "-s", .. args]);

    private IEnumerable<string> Words(string code) => ["--all", "--target", _leader, "env", "-i", "PATH=/usr/local/bin:/usr/bin:/usr/sbin", "HOME=/root", "bash", "-c", $"set -e\n{code}"];

    public async ValueTask DisposeAsync()
    {
        // It powers off in order.
        _container.Signal("TERM");
        try
        {
            await _container.ExitAsync();
        }
        finally
        {
            _container.Dispose();
            File.Delete(ShippingFolder.File("machine.pid"));
            // nspawn leaves it where no systemd runs outside.
            string left = $"/run/systemd/nspawn/propagate/{_name}";
            if (Directory.Exists(left)) Directory.Delete(left);
        }
    }
}
