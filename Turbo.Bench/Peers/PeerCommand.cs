using System.Globalization;

namespace Turbo.Bench.Peers;

/// <summary>Turbo.Bench peer NAME PORT ...: the servers that Turbo is measured beside, each as a process of its own.</summary>
internal static class PeerCommand
{
    public static async Task<int> RunAsync(string[] args)
    {
        bool isInline = args.Contains("--inline");
        switch (args.Where(static arg => arg != "--inline").ToArray())
        {
            case ["kestrel", var port]:
                KestrelPeer.Run(Port(port), isInline);
                return 0;
            case ["yarp", var port, var upstream]:
                YarpPeer.Run(Port(port), upstream, isInline);
                return 0;
            case ["upstream", var port]:
                await UpstreamPeer.RunAsync(Port(port));
                return 0;
            default:
                Console.Error.WriteLine("usage: peer kestrel PORT | peer yarp PORT UPSTREAM | peer upstream PORT [--inline]");
                return 2;
        }
    }

    private static int Port(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}
