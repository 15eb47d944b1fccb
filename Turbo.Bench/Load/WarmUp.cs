using System.Diagnostics;

namespace Turbo.Bench.Load;

/// <summary>
/// Load before a server's first measurement of a kind of work. .NET compiles as it runs, and settles with work done: Turbo's
/// proxied GET goes from 69 to 25 µs over 5 s of processor time, YARP's from 75 to 30 over 7, Kestrel's plaintext from 22 to
/// 12 over 13. By processor time and not by the clock, so that a busy machine warms as well as a quiet one.
/// </summary>
internal static class WarmUp
{
    /// <summary>Seconds of processor time for the first kind of work, unless another is asked for.</summary>
    public const double DefaultSeconds = 15;

    // The server's own code is compiled by then.
    private const double FurtherShare = 1.0 / 3;

    // As fast in the first second as ever: for connections to the upstream, tables that grow, caches.
    private const double AheadSeconds = 0.3;

    // Of the clock's time to the processor's.
    private const double Patience = 2;

    // Of what it needs; with less, that is worth a word.
    private const double EnoughShare = 0.5;

    /// <summary>Seconds of processor time that a kind of work is to have on this server; 0 when it had them.</summary>
    /// <param name="seconds">What the first kind has.</param>
    /// <param name="isCompiledAhead">Whether nothing is compiled as it runs.</param>
    /// <param name="isFirst">Whether the server has had no other kind.</param>
    public static double Needed(double seconds, bool isCompiledAhead, bool isFirst) =>
        isCompiledAhead ? Math.Min(AheadSeconds, seconds) : isFirst ? seconds : seconds * FurtherShare;

    /// <summary>Has the server do this kind of work until it is warm for it.</summary>
    /// <param name="server">Which.</param>
    /// <param name="kind">The kind; the second time nothing is done.</param>
    /// <param name="visit">Makes a visitor.</param>
    /// <param name="connections">How many.</param>
    /// <param name="seconds">Processor time for a first kind of work.</param>
    /// <param name="progress">Is told how far it is.</param>
    /// <returns>The last piece of it, whose failures count; null when nothing was done.</returns>
    public static Measurement? Run(ServerProcess server, string kind, Func<Visitor> visit, int connections, double seconds, Progress progress)
    {
        double needed = Needed(seconds, server.IsCompiledAhead, server.WarmFor.Count == 0);
        if (!server.WarmFor.Add(kind) || needed <= 0) return null;
        using LoadLoop loop = new(server.EndPoint);
        Visitor[] visitors = Measuring.Connect(loop, visit, connections);
        double began = server.CpuSeconds(), spent = 0;
        long started = Stopwatch.GetTimestamp();
        while (true)
        {
            Measurement last = Measuring.Run(server, loop, visitors, Math.Min(0.25, needed));
            spent = server.CpuSeconds() - began;
            if (last.Failures > 0 || spent >= needed) return last;
            if (Stopwatch.GetElapsedTime(started).TotalSeconds > Patience * needed)
            {
                if (spent < EnoughShare * needed)
                    Progress.Note($"{server.Name} spent {spent:0.0} of {needed:0.0} s of processor time on {kind} to warm up: it was not given more in {Patience * needed:0} s, and may not be warm");
                return last;
            }
            progress.Detail($"warming up, {spent:0.0} of {needed:0.0} s of processor time, {LoadReport.Figure(last.CpuMicroseconds)} µs each");
        }
    }
}
