using System.Diagnostics;
using System.Reflection;
using Turbo.Bench.Peers;

namespace Turbo.Bench.Load;

/// <summary>Which versions were measured: figures of two are not compared.</summary>
internal static class Versions
{
    public static string Of(IReadOnlyList<Target> targets)
    {
        List<string> all = [$"Turbo {Turbo.Server.Cli.Usage.Version}"];
        if (Has("kestrel")) all.Add($"Kestrel {Short(typeof(Microsoft.AspNetCore.Server.Kestrel.Core.KestrelServer).Assembly)}");
        if (Has("yarp")) all.Add($"YARP {Short(typeof(Yarp.ReverseProxy.Forwarder.IHttpForwarder).Assembly)}");
        if (Has("nginx") && Nginx() is { } nginx) all.Add(nginx);
        return string.Join(", ", all);

        bool Has(string name) => targets.Any(target => target.Name.StartsWith(name, StringComparison.Ordinal));
    }

    // Without the commit that follows a plus sign.
    private static string Short(Assembly assembly) =>
        (assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "").Split('+')[0];

    // It prints "nginx version: nginx/1.22.1" on stderr.
    private static string? Nginx()
    {
        using Process process = Process.Start(new ProcessStartInfo(NginxPeer.Program!, "-v") { RedirectStandardError = true })!;
        string output = process.StandardError.ReadToEnd();
        process.WaitForExit();
        int slash = output.IndexOf('/');
        return slash < 0 ? null : $"nginx {output[(slash + 1)..].Trim()}";
    }
}
