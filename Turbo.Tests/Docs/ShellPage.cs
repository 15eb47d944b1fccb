using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;
using Turbo.Tests.Support;

namespace Turbo.Tests.Docs;

/// <summary>
/// A page whose ```sh blocks are run as printed, in order and in one shell; what a block prints is the ```text block after
/// it, where … stands for what differs from run to run. `turbo` is the build that is tested.
/// </summary>
internal static partial class ShellPage
{
    private const char Separator = '\u001e';

    [GeneratedRegex(@"^```sh\n(?<code>.*?)^```\n(?:```text\n(?<output>.*?)^```\n)?", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Blocks();

    // Those that the pages listen at, or ask.
    [GeneratedRegex(@"\b8(?:08\d|443)\b")]
    private static partial Regex Ports();

    /// <summary>Runs the page in the folder, where every port of it is a free one.</summary>
    /// <param name="page">Within the repository.</param>
    /// <param name="folder">Where it runs.</param>
    /// <param name="environment">What `turbo` is told besides ADDRESS.</param>
    /// <param name="places">Addresses that are printed, and what is there in their stead.</param>
    public static async Task RunAsync(string page, TempFolder folder, IReadOnlyDictionary<string, string> environment, params (string Printed, string Here)[] places)
    {
        Match[] blocks = [.. Blocks().Matches(Repository.Read(page)).Cast<Match>()];
        Assert.That(blocks, Is.Not.Empty, page);
        Dictionary<string, int> ports = [];

        StringBuilder script = new("trap 'kill $(jobs -p) 2>/dev/null' EXIT\n");
        foreach (Match block in blocks) script.Append(block.Groups["code"].Value).Append($"printf '{Separator}'\n");
        foreach ((string printed, string here) in places) script.Replace(printed, here);
        string text = Ports().Replace(script.ToString(), port => Port(port.Value).ToString());
        await File.WriteAllTextAsync(folder.File("page.sh"), text);

        string programs = Directory.CreateDirectory(folder.File("programs")).FullName, turbo = Path.Combine(programs, "turbo");
        await File.WriteAllTextAsync(turbo, $"#!/bin/sh\nexec {string.Join(' ', TurboProcess.Command.Select(static word => $"'{word}'"))} \"$@\"\n");
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(turbo, UnixFileMode.UserRead | UnixFileMode.UserExecute);

        // The address that `turbo` has without one.
        Dictionary<string, string> variables = new(environment) { ["PATH"] = $"{programs}:{Environment.GetEnvironmentVariable("PATH")}" };
        variables.TryAdd("ADDRESS", $":{Port("8080")}");
        string[] outputs = (await PrintedAsync(folder.Path, variables, "bash", "page.sh")).Split(Separator);
        Assert.That(outputs, Has.Length.EqualTo(blocks.Length + 1));
        Assert.Multiple(() =>
        {
            for (int i = 0; i < blocks.Length; i++)
                Assert.That(outputs[i].TrimEnd(), Does.Match(Pattern(blocks[i].Groups["output"].Value.TrimEnd())), blocks[i].Groups["code"].Value);
        });

        int Port(string printed) => ports.TryGetValue(printed, out int port) ? port : ports[printed] = FreePort();
    }

    /// <summary>What the program prints; it must succeed and say nothing on stderr.</summary>
    public static async Task<string> PrintedAsync(string folder, IReadOnlyDictionary<string, string> environment, string program, params string[] args)
    {
        using TurboProcess process = TurboProcess.StartProgram(program, folder, environment, args);
        int code = await process.ExitAsync();
        Assert.That(process.Error, Is.Empty, process.Out);
        Assert.That(code, Is.Zero);
        return process.Out;
    }

    public static int FreePort()
    {
        using Socket probe = new(AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp) { DualMode = true };
        probe.Bind(new IPEndPoint(IPAddress.IPv6Any, 0));
        return ((IPEndPoint)probe.LocalEndPoint!).Port;
    }

    private static string Pattern(string output) => $"^{Regex.Escape(output).Replace("…", "[^\\n]*", StringComparison.Ordinal)}$";
}
