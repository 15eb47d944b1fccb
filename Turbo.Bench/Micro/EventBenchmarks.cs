using System.Text;
using BenchmarkDotNet.Attributes;
using Turbo.Server;
using Turbo.Server.Ai;
using Turbo.Server.Events;
using Turbo.Server.Model;
using Turbo.Server.Storage;

namespace Turbo.Bench.Micro;

/// <summary>What a relayed reply costs beside its way through: its usage found, its row cleaned and stored in SQLite.</summary>
[MemoryDiagnoser]
public class EventBenchmarks
{
    private const int BatchRows = 512;

    private static readonly byte[] s_list = Encoding.UTF8.GetBytes(
        $"{{\"object\":\"list\",\"data\":[{string.Join(',', Enumerable.Range(10, 12).Select(static i => $"{{\"id\":\"bench-{i}\",\"object\":\"model\",\"created\":1700000000,\"owned_by\":\"bench\"}}"))}]}}");

    private static readonly byte[] s_completion = Encoding.UTF8.GetBytes(
        $"{{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":\"bench-1\",\"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",\"content\":\"{string.Concat(Enumerable.Repeat("lorem ipsum ", 25))}\"}},\"finish_reason\":\"stop\"}}],\"usage\":{{\"prompt_tokens\":12,\"completion_tokens\":80,\"total_tokens\":92}}}}");

    private readonly UsageScanner _usage = new();
    private readonly EventStreamScanner _events;
    private readonly byte[][] _stream = [.. Enumerable.Range(0, 64).Select(static i => Encoding.UTF8.GetBytes(
        $"data: {{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"bench-1\",\"i\":{i},\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\" hello\"}},\"finish_reason\":null}}]}}\n\n"))];

    private readonly EventText _text = new();
    private readonly EventIds _ids = new();
    private readonly EventRow[] _rows = new EventRow[BatchRows];
    private string _folder = "";
    private Db _db = null!;

    public EventBenchmarks() => _events = new EventStreamScanner(_usage);

    [GlobalSetup]
    public void Open()
    {
        _folder = Directory.CreateTempSubdirectory("turbo-bench-").FullName;
        _db = Db.OpenAsync(new SqliteAddress(Path.Combine(_folder, "turbo.db")), new DbOptions(), TimeProvider.System).GetAwaiter().GetResult();
        for (int i = 0; i < BatchRows; i++)
        {
            EventRow row = _rows[i] = new EventRow { Status = 200, Duration = 1_234_567, Ttfb = 1_000_000, UserId = Guid.NewGuid().ToString() };
            row.ClientIp.Set("127.0.0.1"u8);
            row.Method.Set("GET"u8);
            row.Endpoint.Set("/v1/models"u8);
            row.Response.Set(s_list);
        }
    }

    [GlobalCleanup]
    public void Close()
    {
        _db.DisposeAsync().AsTask().GetAwaiter().GetResult();
        Directory.Delete(_folder, recursive: true);
    }

    [Benchmark]
    public int UsageOfList()
    {
        _usage.Reset();
        _usage.Feed(s_list);
        return _usage.ModelLength;
    }

    [Benchmark]
    public long UsageOfCompletion()
    {
        _usage.Reset();
        _usage.Feed(s_completion);
        return _usage.TotalTokens!.Value;
    }

    [Benchmark(OperationsPerInvoke = 64)]
    public int UsageOfStreamedEvent()
    {
        foreach (byte[] piece in _stream) _events.Feed(piece);
        return _usage.ModelLength;
    }

    [Benchmark]
    public void CleanRow() => _text.Clean(_rows[0]);

    [Benchmark(OperationsPerInvoke = BatchRows)]
    public async Task StoreRow()
    {
        foreach (EventRow row in _rows)
        {
            row.Timestamp = row.CreatedAt = DateTime.UtcNow;
            row.Id = _ids.Next(row.CreatedAt);
        }
        await _db.Events.InsertAsync(_rows);
    }
}
