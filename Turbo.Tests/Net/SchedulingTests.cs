using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Turbo.Net;
using Turbo.Net.Transport;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net;

/// <summary>An event loop asks the scheduler for turns of 0.1 ms, and hands that on to no thread that is started from it.</summary>
[TestFixture]
internal sealed class SchedulingTests
{
    [Test]
    public async Task A_handler_runs_in_short_turns_and_what_it_starts_does_not()
    {
        await using NetServer server = new(static exchange =>
        {
            long own = Slice(), started = 0;
            Thread thread = new(() => started = Slice());
            thread.Start();
            thread.Join();
            exchange.Response.Send(200, "text/plain"u8, Encoding.ASCII.GetBytes($"{own} {started}"));
            return default;
        });
        if (!new TurboServerOptions().Transport.IsEpoll()) Assert.Ignore("event loops of our own are the epoll transport's");
        if (Slice() == 0) Assert.Ignore("Linux tells and takes an ordinary thread's turn from 6.12 on");
        using RawClient client = server.Connect();
        string[] slices = client.Exchange("GET / HTTP/1.1\r\nHost: h\r\n\r\n").Text.Split(' ');
        Assert.That(slices[0], Is.EqualTo("100000"));
        Assert.That(long.Parse(slices[1], CultureInfo.InvariantCulture), Is.GreaterThan(100_000));
    }

    /// <summary>The calling thread's turn in nanoseconds (sched_getattr(2), sched_runtime); 0 where the kernel does not tell.</summary>
    private static long Slice()
    {
        byte[] attributes = new byte[48];
        nint number = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 315 : 275;
        return SystemCall(number, 0, attributes, attributes.Length, 0) == 0 ? BitConverter.ToInt64(attributes, 24) : 0;
    }

    [DllImport("libc", EntryPoint = "syscall", ExactSpelling = true)]
    private static extern nint SystemCall(nint number, nint thread, byte[] attributes, nint size, nint flags);
}
