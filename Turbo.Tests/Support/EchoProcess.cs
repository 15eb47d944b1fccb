using System.Net;

namespace Turbo.Tests.Support;

/// <summary>examples/echo as it is built, as a process of its own on a free port. Ended with the test.</summary>
internal sealed class EchoProcess : IDisposable
{
    /// <summary>The most that a message to its /ws may have.</summary>
    public const int MaxMessageBytes = 64 * 1024 * 1024;

    private readonly TurboProcess _process;

    private EchoProcess(TurboProcess process, IPEndPoint endPoint)
    {
        _process = process;
        EndPoint = endPoint;
    }

    public IPEndPoint EndPoint { get; }

    /// <param name="folder">Where it runs.</param>
    /// <param name="transport">epoll or sockets.</param>
    public static async Task<EchoProcess> StartAsync(string folder, string transport)
    {
        string configuration = Path.GetFileName(Path.GetDirectoryName(AppContext.BaseDirectory.TrimEnd('/')))!;
        TurboProcess process = TurboProcess.StartProgram(
            "dotnet", folder, new Dictionary<string, string> { ["ADDRESS"] = "127.0.0.1:0", ["TRANSPORT"] = transport },
            Path.Combine(Repository.Root, "examples/echo/bin", configuration, "net10.0/echo.dll"));
        try
        {
            string line = await process.LineAsync("listening on ");
            return new EchoProcess(process, IPEndPoint.Parse(line["listening on ".Length..]));
        }
        catch
        {
            process.Dispose();
            throw;
        }
    }

    public void Dispose() => _process.Dispose();
}
