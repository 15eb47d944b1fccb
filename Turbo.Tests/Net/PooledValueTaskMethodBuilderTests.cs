using System.Runtime.CompilerServices;
using Turbo.Net;

namespace Turbo.Tests.Net;

public sealed class PooledValueTaskMethodBuilderTests
{
    private List<Gate> _gates = [];

    [SetUp]
    public void SetUp() => _gates = [.. Enumerable.Range(0, 64).Select(static _ => new Gate())];

    [Test]
    public async Task A_method_that_never_waits_has_its_result_at_once()
    {
        Assert.That(await AddAsync(default, 1), Is.EqualTo(2));
        ValueTask failing = FailAsync(default);
        Assert.That(failing.IsFaulted);
        Assert.That(async () => await failing, Throws.InvalidOperationException.With.Message.EqualTo("no"));
    }

    [Test]
    public void A_method_that_waits_ends_with_what_it_waited_for()
    {
        ValueTask<int> adding = AddAsync(_gates[0].WaitAsync(), 40);
        ValueTask failing = FailAsync(_gates[1].WaitAsync());
        ValueTask<int> nested = NestAsync(_gates[2], _gates[3]);
        Assert.That((adding.IsCompleted, failing.IsCompleted, nested.IsCompleted), Is.EqualTo((false, false, false)));
        for (int i = 0; i < 4; i++) _gates[i].Open();
        Assert.That(adding.Result, Is.EqualTo(41));
        Assert.That(nested.Result, Is.EqualTo(6));
        Assert.That(() => failing.GetAwaiter().GetResult(), Throws.InvalidOperationException.With.Message.EqualTo("no"));
    }

    [Test]
    public void A_value_task_is_awaited_once()
    {
        ValueTask<int> adding = AddAsync(_gates[0].WaitAsync(), 1);
        _gates[0].Open();
        Assert.That(adding.Result, Is.EqualTo(2));
        Assert.That(() => adding.Result, Throws.InvalidOperationException);
        // What was awaited twice has disturbed nobody else.
        ValueTask<int> next = AddAsync(_gates[0].WaitAsync(), 2);
        _gates[0].Open();
        Assert.That(next.Result, Is.EqualTo(3));
    }

    [Test]
    public void As_many_as_were_suspended_at_once_are_kept()
    {
        ValueTask<int>[] suspended = new ValueTask<int>[_gates.Count];
        Round();
        Round();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++) Round();
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);

        void Round()
        {
            for (int i = 0; i < suspended.Length; i++) suspended[i] = AddAsync(_gates[i].WaitAsync(), i);
            foreach (Gate gate in _gates) gate.Open();
            for (int i = 0; i < suspended.Length; i++)
            {
                if (suspended[i].Result != i + 1) throw new InvalidOperationException("another call's result");
            }
        }
    }

    [Test]
    public async Task Calls_that_end_on_other_threads_are_never_mixed_up()
    {
        await Task.WhenAll(Enumerable.Range(0, 8).Select(static worker => Task.Run(async () =>
        {
            for (int i = 0; i < 5000; i++)
            {
                if (await AddAcrossThreadsAsync(worker * 10_000 + i) != worker * 10_000 + i + 1) throw new InvalidOperationException("another call's result");
            }
        })));
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder<>))]
    private static async ValueTask<int> AddAsync(ValueTask first, int value)
    {
        await first.ConfigureAwait(false);
        return value + 1;
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder<>))]
    private static async ValueTask<int> AddAcrossThreadsAsync(int value)
    {
        await Task.Yield();
        return await AddAsync(default, value);
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder))]
    private static async ValueTask FailAsync(ValueTask first)
    {
        await first.ConfigureAwait(false);
        throw new InvalidOperationException("no");
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskMethodBuilder<>))]
    private static async ValueTask<int> NestAsync(Gate first, Gate second)
    {
        int sum = 0;
        sum += await AddAsync(first.WaitAsync(), 1).ConfigureAwait(false);
        sum += await AddAsync(second.WaitAsync(), 3).ConfigureAwait(false);
        return sum;
    }

    /// <summary>Waited for by one at a time, without an allocation.</summary>
    private sealed class Gate : System.Threading.Tasks.Sources.IValueTaskSource
    {
        private System.Threading.Tasks.Sources.ManualResetValueTaskSourceCore<bool> _core;

        public ValueTask WaitAsync() => new(this, _core.Version);

        public void Open() => _core.SetResult(true);

        public void GetResult(short token)
        {
            _core.GetResult(token);
            _core.Reset();
        }

        public System.Threading.Tasks.Sources.ValueTaskSourceStatus GetStatus(short token) => _core.GetStatus(token);

        public void OnCompleted(Action<object?> continuation, object? state, short token, System.Threading.Tasks.Sources.ValueTaskSourceOnCompletedFlags flags) =>
            _core.OnCompleted(continuation, state, token, flags);
    }
}
