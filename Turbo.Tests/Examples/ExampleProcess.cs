using System.Net;
using System.Text.RegularExpressions;
using Turbo.Tests.Support;

namespace Turbo.Tests.Examples;

/// <summary>An example as it is built, as a process of its own that has said where it listens. Ended with the test.</summary>
internal sealed partial class ExampleProcess : IDisposable
{
    private ExampleProcess(TurboProcess process, IPEndPoint endPoint)
    {
        Process = process;
        EndPoint = endPoint;
    }

    public TurboProcess Process { get; }

    public IPEndPoint EndPoint { get; }

    /// <summary>The built program of examples/NAME.</summary>
    public static string Built(string name)
    {
        string configuration = Path.GetFileName(Path.GetDirectoryName(AppContext.BaseDirectory.TrimEnd('/')))!;
        return Path.Combine(Repository.Root, "examples", name, "bin", configuration, "net10.0", $"{name}.dll");
    }

    /// <param name="program">Its dll.</param>
    /// <param name="folder">Where it runs.</param>
    /// <param name="environment">Its variables.</param>
    /// <param name="args">Its arguments.</param>
    public static async Task<ExampleProcess> StartAsync(string program, string folder, Dictionary<string, string> environment, params string[] args)
    {
        TurboProcess process = TurboProcess.StartProgram("dotnet", folder, environment, [program, .. args]);
        try
        {
            string line = await process.LineAsync(" on ");
            return new ExampleProcess(process, IPEndPoint.Parse(Address().Match(line).Value));
        }
        catch
        {
            process.Dispose();
            throw;
        }
    }

    public void Dispose() => Process.Dispose();

    [GeneratedRegex(@"127\.0\.0\.1:\d+")]
    private static partial Regex Address();
}
