using Turbo.Tests.Docs;
using Turbo.Tests.Support;

namespace Turbo.Tests.Shipping;

/// <summary>The release's archive, as it is unpacked by whoever got it.</summary>
[TestFixture]
[Category(ShippingFolder.Category)]
internal sealed class ArchiveTests
{
    private static readonly Dictionary<string, string> s_none = [];

    [Test]
    public async Task It_is_what_its_checksum_says()
    {
        string archive = new FileInfo(ShippingFolder.File("turbo.tar.gz")).ResolveLinkTarget(true)!.FullName;
        Assert.That(await ShippingFolder.PrintedAsync(Path.GetDirectoryName(archive)!, s_none, "sha256sum", "--check", "SHA256SUMS"), Is.EqualTo($"{Path.GetFileName(archive)}: OK\n"));
    }

    [Test]
    public async Task It_holds_one_folder_whose_program_runs_and_whose_links_lead_somewhere()
    {
        using TempFolder folder = new();
        await ShippingFolder.PrintedAsync(folder.Path, s_none, "tar", "-xzf", ShippingFolder.File("turbo.tar.gz"));
        string release = Directory.GetFileSystemEntries(folder.Path).Single();
        Assert.That(PageLinks.Dead(release), Is.Empty);
        Assert.That(Path.GetFileName(release), Does.StartWith((await ShippingFolder.PrintedAsync(release, s_none, Path.Combine(release, "turbo"), "version")).Split(' ') is [_, var version, ..] ? $"turbo-{version.Trim()}-" : "?"));
    }
}
