using System.Diagnostics;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Cli;

[TestFixture]
[Category(TurboProcess.Category)]
[Platform("Linux")]
internal sealed class HomeFolderTests
{
    // A mount namespace in which passwd has nobody, nor is anybody else asked.
    private const string Nobody = "mount --bind /dev/null /etc/passwd && mount --bind /dev/null /etc/nsswitch.conf && unset HOME && exec \"$@\"";

    /// <summary>As under a unit with DynamicUser=: .NET then knows no home folder, where it looks for distrusted certificates.</summary>
    [Test]
    public async Task Certificates_are_judged_where_the_user_has_no_home()
    {
        using TempFolder folder = new();
        using (Process probe = Process.Start("unshare", ["-m", "sh", "-c", Nobody, "sh", "true"]))
        {
            await probe.WaitForExitAsync();
            if (probe.ExitCode != 0) Assert.Ignore("needs a mount namespace, which root may make");
        }
        (string certificate, string key) = TestCertificates.SharedFiles;
        Dictionary<string, string> environment = new() { ["ADDRESS"] = "127.0.0.1:0", ["TLS_CERT"] = certificate, ["TLS_KEY"] = key };
        using TurboProcess turbo = TurboProcess.StartProgram("unshare", folder.Path, environment, ["-m", "sh", "-c", Nobody, "sh", .. TurboProcess.Command, "serve", "--mock"]);
        string line = await turbo.LineAsync("listening on https://");
        // Its client side judges too.
        using TurboProcess health = TurboProcess.StartProgram(
            "unshare", folder.Path, environment, ["-m", "sh", "-c", Nobody, "sh", .. TurboProcess.Command, "health", line[line.IndexOf("https://", StringComparison.Ordinal)..]]);
        Assert.That((await health.ExitAsync(), health.Error), Is.EqualTo((0, "")));
        turbo.Signal("TERM");
        Assert.That(await turbo.ExitAsync(), Is.Zero);
    }
}
