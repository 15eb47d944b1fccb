using System.Diagnostics;
using System.Globalization;
using System.IO.Enumeration;

namespace Turbo.Server.Metrics;

/// <summary>What the runtime and the system tell of the process, under the names that Prometheus's and OpenTelemetry's conventions give it.</summary>
internal sealed partial class MetricsPage
{
    private static readonly double s_startTime = StartTime();
    private static readonly long s_descriptorLimit = DescriptorLimit();

    private static void WriteProcess(PrometheusWriter writer)
    {
        GCMemoryInfo memory = GC.GetGCMemoryInfo();
        writer.Counter("dotnet_gc_collections_total"u8, "Garbage collections of that generation and, with it, the younger ones."u8);
        writer.Sample("generation"u8, "0"u8, GC.CollectionCount(0));
        writer.Sample("generation"u8, "1"u8, GC.CollectionCount(1));
        writer.Sample("generation"u8, "2"u8, GC.CollectionCount(2));
        writer.Counter("dotnet_gc_pause_seconds_total"u8, "Time that collections stopped all threads."u8);
        writer.Sample(GC.GetTotalPauseDuration().TotalSeconds);
        writer.Counter("dotnet_gc_allocated_bytes_total"u8, "Bytes allocated on the managed heap."u8, GC.GetTotalAllocatedBytes());
        writer.Gauge("dotnet_gc_heap_bytes"u8, "Managed heap in use, as far as is known without a collection."u8, GC.GetTotalMemory(forceFullCollection: false));
        writer.Gauge("dotnet_gc_committed_bytes"u8, "Memory that the managed heap had committed after the last collection."u8, memory.TotalCommittedBytes);
        writer.Gauge("dotnet_thread_pool_threads"u8, "Threads of the thread pool."u8, ThreadPool.ThreadCount);
        writer.Gauge("dotnet_thread_pool_queue_length"u8, "Work items that wait for one."u8, ThreadPool.PendingWorkItemCount);
        writer.Counter("dotnet_thread_pool_items_total"u8, "Work items done."u8, ThreadPool.CompletedWorkItemCount);
        writer.Counter("process_cpu_seconds_total"u8, "Processor time of the process, user and system."u8);
        writer.Sample(Environment.CpuUsage.TotalTime.TotalSeconds);
        writer.Gauge("process_resident_memory_bytes"u8, "Resident memory."u8, Environment.WorkingSet);
        writer.Gauge("process_start_time_seconds"u8, "When the process started, in seconds since 1970."u8, s_startTime);
        if (!OperatingSystem.IsLinux()) return;
        writer.Gauge("process_open_fds"u8, "Open descriptors."u8, OpenDescriptors());
        writer.Gauge("process_max_fds"u8, "How many it may have open."u8, s_descriptorLimit);
    }

    private static double StartTime()
    {
        using Process self = Process.GetCurrentProcess();
        return (self.StartTime.ToUniversalTime() - DateTime.UnixEpoch).TotalSeconds;
    }

    // One of them is the enumeration's own. Names are not made.
    private static long OpenDescriptors() => new FileSystemEnumerable<byte>("/proc/self/fd", static (ref FileSystemEntry _) => 0).LongCount() - 1;

    private static long DescriptorLimit()
    {
        if (!OperatingSystem.IsLinux()) return 0;
        // Max open files   soft   hard   files
        string[] words = File.ReadLines("/proc/self/limits").First(static line => line.StartsWith("Max open files", StringComparison.Ordinal))
            .Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return long.TryParse(words[3], CultureInfo.InvariantCulture, out long limit) ? limit : long.MaxValue;
    }
}
