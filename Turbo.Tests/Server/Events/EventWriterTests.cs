using System.Text;
using System.Text.Json;
using Turbo.Server;
using Turbo.Server.Events;
using Turbo.Server.Model;
using Turbo.Server.Storage;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Events;

[TestFixture]
internal sealed class EventWriterTests
{
    private ManualTimeProvider _time = null!;
    private MemoryEventBus _bus = null!;
    private RecordingSink _sink = null!;
    private List<string> _reports = null!;
    private EventWriter _writer = null!;

    [SetUp]
    public void Make()
    {
        _time = new ManualTimeProvider();
        _bus = new MemoryEventBus();
        _sink = new RecordingSink();
        _reports = [];
        _writer = Writer(new EventWriterOptions());
    }

    [TearDown]
    public async Task Stop()
    {
        _sink.Gate?.TrySetResult();
        await Within(_writer.DisposeAsync().AsTask());
    }

    private EventWriter Writer(EventWriterOptions options) =>
        new(_sink.StoreAsync, StorageException.IsRowsFault, _bus, options, _time, (report, _) =>
        {
            lock (_reports)
                _reports.Add(report);
        });

    private void Submit(string name, int bytes = 0)
    {
        EventRow row = _writer.Rent();
        row.Endpoint.Set("/v1/x"u8);
        row.Message.Set(name);
        row.Request.Set(new string('x', bytes));
        _writer.Submit(row);
    }

    private static async Task Within(Task task) => await task.WaitAsync(TimeSpan.FromSeconds(20));

    private async Task Eventually(Func<bool> holds)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (!holds())
        {
            deadline.Token.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }

    [Test]
    public async Task Rows_are_stored_in_order_in_batches()
    {
        for (int i = 0; i < 2000; i++)
            Submit(i.ToString());
        await Within(_writer.FlushAsync());
        Assert.That(_sink.Stored, Is.EqualTo(Enumerable.Range(0, 2000).Select(i => i.ToString())));
        Assert.That(_sink.Batches, Has.All.InRange(1, 512));
        Assert.That(_sink.Batches, Has.Count.LessThan(100));
        Assert.That((_writer.QueuedRows, _writer.QueuedBytes, _writer.StoredRows, _writer.LostRows), Is.EqualTo((0, 0L, 2000L, 0L)));
    }

    [Test]
    public async Task A_lone_row_waits_no_longer_than_the_interval()
    {
        Submit("one");
        _time.Advance(TimeSpan.FromMilliseconds(200));
        await Eventually(() => _sink.Stored.Count == 1);
    }

    [Test]
    public async Task A_full_batch_does_not_wait()
    {
        for (int i = 0; i < 512; i++)
            Submit("x");
        await Eventually(() => _sink.Stored.Count == 512);
    }

    /// <summary>What stands back while more waits than one batch takes would have it wait ever longer.</summary>
    [TestCase(511, 0, true)]
    [TestCase(512, 0, false)]
    [TestCase(3, 1 << 20, true)]
    [TestCase(8, 1 << 20, false)]
    public async Task Rows_are_stored_at_leisure_where_less_than_a_batch_waits(int rows, int bytes, bool isAtLeisure)
    {
        TaskCompletionSource gate = new();
        _sink.Gate = gate;
        Submit("first");
        _time.Advance(TimeSpan.FromMilliseconds(200));
        await Eventually(() => _sink.Calls.Count == 1);
        // All of them are taken at once when the first is stored.
        for (int i = 0; i < rows; i++)
            Submit("x", bytes);
        _sink.Gate = null;
        gate.SetResult();
        await Within(_writer.FlushAsync());
        Assert.That(_sink.Calls[0], Is.True);
        Assert.That(_sink.Calls[1..], Is.Not.Empty.And.All.EqualTo(isAtLeisure));
    }

    [Test]
    public async Task Large_rows_make_small_batches()
    {
        for (int i = 0; i < 100; i++)
            Submit("x", 1 << 20);
        await Within(_writer.FlushAsync());
        Assert.That(_sink.Batches, Has.All.LessThanOrEqualTo(4));
    }

    [Test]
    public async Task Every_row_is_published_once_cleaned()
    {
        using ISubscription subscription = _bus.Subscribe(EventWriter.Topic);
        _sink.Fail(new StorageBusyException("locked"), times: 2);
        EventRow row = _writer.Rent();
        row.Endpoint.Set("/event"u8);
        row.Params.Set("id=1&token=T0KEN"u8);
        _writer.Submit(row);
        Task flushed = _writer.FlushAsync();
        await AdvanceUntilAsync(flushed);

        ReadOnlyMemory<byte> message = (await subscription.NextAsync(CancellationToken.None))!.Value;
        using JsonDocument json = JsonDocument.Parse(message);
        Assert.That(json.RootElement.GetProperty("Params").GetString(), Is.EqualTo("id=1&token=***"));
        Assert.That(json.RootElement.GetProperty("Timestamp").ValueKind, Is.EqualTo(JsonValueKind.String));
        Assert.That(_writer.StoredRows, Is.EqualTo(1));
        subscription.Dispose();
        Assert.That(await subscription.NextAsync(CancellationToken.None), Is.Null, "once");
    }

    [Test]
    public async Task A_database_that_fails_is_tried_until_it_does_not()
    {
        _sink.Fail(new StorageException(StorageFailure.DiskFull, "full"), times: 10);
        for (int i = 0; i < 10; i++)
            Submit(i.ToString());
        await AdvanceUntilAsync(_writer.FlushAsync());
        Assert.That(_sink.Stored, Is.EqualTo(Enumerable.Range(0, 10).Select(i => i.ToString())));
        Assert.That(_writer.LostRows, Is.Zero);
        Assert.That(_reports, Has.Some.Contain("tried again").And.Some.Contain("stored again"));
    }

    [Test]
    public async Task One_bad_row_loses_itself_alone_and_loudly()
    {
        _sink.Refuse = row => row.Message.ToString() == "bad";
        for (int i = 0; i < 100; i++)
            Submit(i == 37 ? "bad" : i.ToString());
        await Within(_writer.FlushAsync());
        Assert.That(_sink.Stored, Is.EqualTo(Enumerable.Range(0, 100).Where(i => i != 37).Select(i => i.ToString())));
        Assert.That(_writer.LostRows, Is.EqualTo(1));
        Assert.That(_reports.Single(), Does.StartWith("LOST 1 event row"));
    }

    [Test]
    public async Task A_full_queue_makes_requests_wait_and_drops_nothing()
    {
        await _writer.DisposeAsync();
        _writer = Writer(new EventWriterOptions { QueueRows = 10 });
        _sink.Gate = new TaskCompletionSource();
        for (int i = 0; i < 10; i++)
        {
            Assert.That(_writer.WaitForRoomAsync(CancellationToken.None).IsCompleted);
            Submit(i.ToString());
        }
        Assert.That(_writer.HasRoom, Is.False);
        Task<bool>[] waiting = Enumerable.Range(0, 5).Select(_ => _writer.WaitForRoomAsync(CancellationToken.None).AsTask()).ToArray();
        Assert.That(waiting.Any(task => task.IsCompleted), Is.False);
        using var gone = new CancellationTokenSource();
        Task left = _writer.WaitForRoomAsync(gone.Token).AsTask();
        gone.Cancel();
        Assert.CatchAsync<OperationCanceledException>(async () => await left);
        Submit("in flight all the while");

        _sink.Gate.SetResult();
        await Within(Task.WhenAll([_writer.FlushAsync(), .. waiting]));
        Assert.That(waiting.Select(task => task.Result), Is.All.True);
        Assert.That(_sink.Stored, Has.Count.EqualTo(11));
        Assert.That(_reports.Count(report => report.Contains("requests wait")), Is.EqualTo(1));
    }

    [Test]
    public async Task A_request_waits_so_long_and_no_longer()
    {
        await _writer.DisposeAsync();
        _writer = Writer(new EventWriterOptions { QueueRows = 10, RoomTimeout = TimeSpan.FromSeconds(3) });
        _sink.Gate = new TaskCompletionSource();
        for (int i = 0; i < 10; i++)
            Submit(i.ToString());
        Task<bool> first = _writer.WaitForRoomAsync(CancellationToken.None).AsTask();
        _time.Advance(TimeSpan.FromSeconds(2));
        Task<bool> second = _writer.WaitForRoomAsync(CancellationToken.None).AsTask();
        Assert.That(first.IsCompleted, Is.False);
        _time.Advance(TimeSpan.FromSeconds(1));
        await Within(first);
        Assert.That(first.Result, Is.False);
        Assert.That(second.IsCompleted, Is.False, "each waits its own time");

        _sink.Gate.SetResult();
        await Within(_writer.FlushAsync());
        await Within(second);
        Assert.That(second.Result, Is.True);
        Assert.That(_sink.Stored, Has.Count.EqualTo(10), "nothing is dropped for the one that waited in vain");
    }

    [Test]
    public async Task The_bound_counts_memory()
    {
        await _writer.DisposeAsync();
        _writer = Writer(new EventWriterOptions { QueueBytes = 1 << 20 });
        _sink.Gate = new TaskCompletionSource();
        int rows = 0;
        for (; _writer.HasRoom; rows++)
            Submit("x", 65_536);
        Assert.That(rows, Is.InRange(5, 16));
        _sink.Gate.SetResult();
        await Within(_writer.FlushAsync());
        Assert.That(_writer.QueuedBytes, Is.Zero);
    }

    [Test]
    public async Task Stopping_stores_what_is_queued()
    {
        for (int i = 0; i < 100; i++)
            Submit(i.ToString());
        await _writer.DisposeAsync();
        Assert.That(_sink.Stored, Has.Count.EqualTo(100));
    }

    [Test]
    public async Task Stopping_gives_up_in_the_end_and_says_what_was_lost()
    {
        _sink.Fail(new StorageException(StorageFailure.Unavailable, "gone"), times: int.MaxValue);
        for (int i = 0; i < 7; i++)
            Submit(i.ToString());
        Task stopped = _writer.DisposeAsync().AsTask();
        Assert.That(stopped.IsCompleted, Is.False);
        await AdvanceUntilAsync(stopped);
        Assert.That(_writer.LostRows, Is.EqualTo(7));
        Assert.That(_reports[^1], Does.StartWith("LOST 7 event rows"));
    }

    [Test]
    public async Task Stopping_waits_for_a_row_that_is_held()
    {
        HeldEvent held = Hold();
        held.Release();
        Task stopped = _writer.DisposeAsync().AsTask();
        Submit("meanwhile");
        await Eventually(() => _sink.Stored.Count == 1);
        Assert.That(stopped.IsCompleted, Is.False);
        held.Release();
        await Within(stopped);
        Assert.That(_sink.Stored, Is.EqualTo(new[] { "meanwhile", "held" }));
        Assert.That(_writer.LostRows, Is.Zero);
    }

    /// <summary>Its timer is gone by then, and each of these comes when nothing else wakes it.</summary>
    [Test]
    public async Task Rows_that_come_while_it_stops_do_not_wait_for_the_one_that_is_held()
    {
        HeldEvent held = Hold();
        held.Release();
        Task stopped = _writer.DisposeAsync().AsTask();
        for (int i = 1; i <= 100; i++)
        {
            await Within(_writer.FlushAsync());
            Submit("meanwhile");
            await Eventually(() => _sink.Stored.Count == i);
        }
        Assert.That(stopped.IsCompleted, Is.False);
        held.Release();
        await Within(stopped);
        Assert.That(_sink.Stored, Has.Count.EqualTo(101));
    }

    [Test]
    public async Task A_row_that_is_held_for_too_long_is_lost_and_told()
    {
        Hold();
        Task stopped = _writer.DisposeAsync().AsTask();
        await AdvanceUntilAsync(stopped);
        Assert.That(_writer.LostRows, Is.EqualTo(1));
        Assert.That(_reports[^1], Does.StartWith("LOST 1 event row, which nobody completed"));
    }

    private HeldEvent Hold()
    {
        EventRow row = _writer.Rent();
        row.Message.Set("held"u8);
        return new HeldEvent(_writer, row);
    }

    [Test]
    public async Task Handing_a_row_in_allocates_nothing()
    {
        byte[] body = Encoding.UTF8.GetBytes(new string('b', 900));
        Fill(2000);
        await Within(_writer.FlushAsync());
        long before = GC.GetAllocatedBytesForCurrentThread();
        Fill(500);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
        await Within(_writer.FlushAsync());

        void Fill(int rows)
        {
            for (int i = 0; i < rows; i++)
            {
                EventRow row = _writer.Rent();
                row.Endpoint.Set("/v1/chat/completions"u8);
                row.Method.Set("POST"u8);
                row.ClientIp.Set("127.0.0.1"u8);
                row.Request.AppendUpTo(body, _writer.BodyBytes);
                row.Response.AppendUpTo(body, _writer.BodyBytes);
                _writer.Submit(row);
            }
        }
    }

    [Test]
    public async Task Rows_of_many_threads_all_arrive_in_the_database()
    {
        using var folder = new TempFolder();
        await using Db db = await Db.OpenAsync(new SqliteAddress(folder.File("turbo.db")), new DbOptions(), TimeProvider.System);
        await using (var writer = new EventWriter(
            db.Events.InsertAsync, StorageException.IsRowsFault, _bus, new EventWriterOptions(), TimeProvider.System, (_, _) => { }))
        {
            await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
            {
                for (int i = 0; i < 2500; i++)
                {
                    Assert.That(await writer.WaitForRoomAsync(CancellationToken.None));
                    EventRow row = writer.Rent();
                    row.Timestamp = DateTime.UtcNow;
                    row.Endpoint.Set("/v1/models"u8);
                    writer.Submit(row);
                }
            })));
        }
        Assert.That(await db.Events.QueryAsync(new EventQuery { Limit = 20_000 }), Has.Count.EqualTo(10_000));
    }

    [Test]
    public async Task Old_rows_are_deleted_at_the_start_and_then_every_ten_minutes()
    {
        var cutoffs = new List<DateTime>();
        var failures = new List<string>();
        int left = 1200;
        await using var retention = new EventRetention(
            (cutoff, limit) =>
            {
                lock (cutoffs)
                    cutoffs.Add(cutoff);
                if (cutoffs.Count == 4)
                    throw new StorageBusyException("locked");
                int deleted = Math.Min(left, limit);
                left -= deleted;
                return Task.FromResult(deleted);
            },
            TimeSpan.FromDays(30), _time, (report, _) => failures.Add(report));
        await Eventually(() => left == 0 && cutoffs.Count == 3);
        Assert.That(cutoffs, Has.All.EqualTo(_time.GetUtcNow().UtcDateTime.AddDays(-30)));

        for (int calls = 4; calls <= 5; calls++)
        {
            int wanted = calls;
            await Eventually(() =>
            {
                if (cutoffs.Count < wanted)
                    _time.Advance(TimeSpan.FromMinutes(10));
                return cutoffs.Count >= wanted;
            });
        }
        Assert.That(failures, Has.Count.EqualTo(1), "and the next period tried again");
    }

    /// <summary>Lets manual time run until the task is done: pauses between attempts pass.</summary>
    private async Task AdvanceUntilAsync(Task task)
    {
        await Eventually(() =>
        {
            _time.Advance(TimeSpan.FromMilliseconds(100));
            return task.IsCompleted;
        });
        await task;
    }

    private sealed class RecordingSink
    {
        private Exception? _failure;
        private int _failures;

        public List<string> Stored { get; } = [];
        public List<int> Batches { get; } = [];
        public TaskCompletionSource? Gate { get; set; }
        public Func<EventRow, bool>? Refuse { get; set; }

        public void Fail(Exception failure, int times) => (_failure, _failures) = (failure, times);

        public List<bool> Calls { get; } = [];

        public async Task StoreAsync(IReadOnlyList<EventRow> rows, bool isAtLeisure)
        {
            Calls.Add(isAtLeisure);
            if (Gate is { } gate)
                await gate.Task;
            if (_failures > 0)
            {
                _failures--;
                throw _failure!;
            }
            if (Refuse is { } refuse && rows.Any(refuse))
                throw new StorageException(StorageFailure.Conflict, "refused");
            Stored.AddRange(rows.Select(row => row.Message.ToString()));
            Batches.Add(rows.Count);
        }
    }
}
