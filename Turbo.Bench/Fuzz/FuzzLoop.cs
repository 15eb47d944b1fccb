using System.Diagnostics;
using Turbo.Tests.Fuzz;

namespace Turbo.Bench.Fuzz;

/// <summary>
/// Coverage-guided fuzzing of one target within this process: mutate, run, keep what went over new edges. Beside
/// exceptions it finds hangs, and memory out of proportion to the input.
/// </summary>
internal sealed class FuzzLoop
{
    private const int HangSeconds = 10;
    private static readonly TimeSpan s_report = TimeSpan.FromSeconds(10);

    private readonly FuzzTarget _target;
    private readonly FuzzFindings _findings;
    private readonly CoverageMap _map = new();
    private readonly FuzzCorpus _corpus = new();
    private byte[] _running = [];
    private long _runningSince;
    private long _executions;

    public FuzzLoop(FuzzTarget target, FuzzFindings findings)
    {
        _target = target;
        _findings = findings;
    }

    public FuzzCorpus Corpus => _corpus;

    public long Executions => _executions;

    public int Edges => _map.Edges;

    /// <summary>Runs the inputs known so far; what they reach is where the search begins.</summary>
    public void Seed(IEnumerable<byte[]> inputs)
    {
        List<byte[]> all = [.. inputs];
        // Once for what runs only the first time, such as static constructors.
        foreach (byte[] input in all.Take(50)) Try(input);
        foreach (byte[] input in all.OrderBy(static i => i.Length)) TryAndKeep(input);
        if (_corpus.Count == 0) TryAndKeep([]);
        if (_map.Edges == 0) throw new InvalidOperationException("no edge was counted: Turbo.Net is not instrumented; run scripts/fuzz");
    }

    /// <summary>
    /// Fuzzes for <paramref name="time"/> of this process's CPU: on a machine that other work shares, time on the clock
    /// would count what was never run.
    /// </summary>
    public void Run(TimeSpan time, int seed)
    {
        Mutator mutator = new(_target, seed);
        using CancellationTokenSource done = new();
        Thread watch = new(() => WatchForHang(done.Token)) { IsBackground = true };
        watch.Start();
        TimeSpan start = Environment.CpuUsage.TotalTime, spent = TimeSpan.Zero;
        TimeSpan nextReport = s_report;
        while (spent < time)
        {
            for (int i = 0; i < 256; i++)
            {
                byte[] input = mutator.Mutate(_corpus.Pick(mutator.Random), _corpus.Pick(mutator.Random));
                TryAndKeep(input);
            }
            spent = Environment.CpuUsage.TotalTime - start;
            if (spent < nextReport) continue;
            nextReport += s_report;
            Report(spent, time);
        }
        Report(spent, time);
        done.Cancel();
    }

    private void TryAndKeep(byte[] input)
    {
        if (Try(input) && _map.IsNew()) _corpus.Add(input, _map.Features());
    }

    // False when it is a finding.
    private bool Try(byte[] input)
    {
        _executions++;
        _running = input;
        Volatile.Write(ref _runningSince, Stopwatch.GetTimestamp());
        try
        {
            Measure(input);
            return true;
        }
        catch (Exception e)
        {
            if (_findings.IsNew(e)) _findings.Keep(Shorten(input, FuzzFindings.Signature(e)), e);
            return false;
        }
        finally
        {
            Volatile.Write(ref _runningSince, 0);
        }
    }

    private void Measure(byte[] input)
    {
        _map.Begin();
        long before = GC.GetAllocatedBytesForCurrentThread();
        _target.Run(input);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        FuzzFinding.Unless(allocated <= (4 << 20) + (8192L * input.Length), $"an allocation bomb: {allocated} bytes for an input of {input.Length}");
    }

    // Takes pieces out for as long as the same thing is found.
    private byte[] Shorten(byte[] input, string signature)
    {
        for (int piece = Math.Max(input.Length / 2, 1); piece > 0; piece /= 2)
        {
            for (int at = 0; at + piece <= input.Length;)
            {
                byte[] less = [.. input[..at], .. input[(at + piece)..]];
                if (StillFinds(less, signature)) input = less;
                else at += piece;
            }
        }
        return input;
    }

    private bool StillFinds(byte[] input, string signature)
    {
        Volatile.Write(ref _runningSince, Stopwatch.GetTimestamp());
        try
        {
            Measure(input);
            return false;
        }
        catch (Exception e)
        {
            return FuzzFindings.Signature(e) == signature;
        }
    }

    private void WatchForHang(CancellationToken done)
    {
        // Counted in looks of this thread, so that a process that was stopped for a while, or got no CPU, does not hang.
        long watched = 0;
        int seconds = 0;
        while (!done.WaitHandle.WaitOne(TimeSpan.FromSeconds(1)))
        {
            long since = Volatile.Read(ref _runningSince);
            seconds = since != 0 && since == watched ? seconds + 1 : 0;
            watched = since;
            if (seconds < HangSeconds) continue;
            _findings.Keep(_running, new FuzzFinding($"runs for more than {HangSeconds} s"));
            // Nothing else ends it.
            Environment.Exit(1);
        }
    }

    private void Report(TimeSpan elapsed, TimeSpan time) => Console.WriteLine(
        $"{_target.Name,-11} {elapsed:mm\\:ss} of {time:mm\\:ss}   {_executions,12:N0} executions {_executions / Math.Max(elapsed.TotalSeconds, 1),9:N0}/s   {_map.Edges,5} edges   {_corpus.Count,5} inputs   {_findings.Count} findings");
}
