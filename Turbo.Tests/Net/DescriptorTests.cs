using System.Diagnostics;
using System.Net;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net;

/// <summary>A process that runs out of descriptors.</summary>
[TestFixture]
internal sealed class DescriptorTests
{
    private const string Get = "GET /plaintext HTTP/1.1\r\nHost: h\r\n\r\n";

    [Test]
    public async Task Accepting_goes_on_after_the_process_ran_out_of_descriptors()
    {
        string configuration = new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name;
        string echo = Path.Combine(Repository.Root, "examples/echo/bin", configuration, "net10.0/echo.dll");
        ProcessStartInfo start = new("bash") { RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add("ulimit -n 100; exec dotnet \"$0\"");
        start.ArgumentList.Add(echo);
        start.Environment["ADDRESS"] = "127.0.0.1:0";
        using Process process = Process.Start(start)!;
        try
        {
            Task<string> errors = process.StandardError.ReadToEndAsync();
            string? line = await Until.DoneAsync(process.StandardOutput.ReadLineAsync());
            Assert.That(line, Does.StartWith("listening on "), line is null ? await errors : "");
            IPEndPoint endPoint = IPEndPoint.Parse(line!["listening on ".Length..]);
            // A program loads its code with the first request, which needs descriptors too.
            using (RawClient first = new(endPoint)) Assert.That(first.Exchange(Get).Status, Is.EqualTo(200));

            // More than the process can have; those that it cannot accept wait in the kernel's backlog.
            Queue<RawClient> clients = new(Enumerable.Range(0, 150).Select(_ => new RawClient(endPoint)));
            foreach (RawClient client in clients) client.Send(Get);
            while (clients.TryDequeue(out RawClient? client))
            {
                using (client) Assert.That(client.Read().Text, Is.EqualTo("Hello, World!"), $"with {clients.Count} behind it");
            }
            using RawClient last = new(endPoint);
            Assert.That(last.Exchange(Get).Status, Is.EqualTo(200));
        }
        finally
        {
            process.Kill();
            await process.WaitForExitAsync();
        }
    }
}
