using System.Buffers;
using System.Text;
using Turbo.Net.Buffers;
using Turbo.Net.Http1;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net.Http1;

[TestFixture]
internal sealed class DateClockTests
{
    [Test]
    public void The_date_line_changes_with_the_second_and_is_made_once_for_it()
    {
        ManualTimeProvider time = new(new DateTimeOffset(2026, 2, 28, 23, 59, 59, 400, TimeSpan.Zero));
        DateClock clock = new(time);
        Assert.That(Encoding.ASCII.GetString(clock.DateLine), Is.EqualTo("Date: Sat, 28 Feb 2026 23:59:59 GMT\r\n"));
        Assert.That(clock.Now, Is.Zero);

        time.Advance(TimeSpan.FromMilliseconds(599));
        Assert.That(clock.Now, Is.Zero, "moves only when it is updated");
        clock.Update();
        Assert.That(Encoding.ASCII.GetString(clock.DateLine), Is.EqualTo("Date: Sat, 28 Feb 2026 23:59:59 GMT\r\n"));
        Assert.That(clock.Now, Is.EqualTo(599));

        time.Advance(TimeSpan.FromMilliseconds(1));
        clock.Update();
        Assert.That(Encoding.ASCII.GetString(clock.DateLine), Is.EqualTo("Date: Sun, 01 Mar 2026 00:00:00 GMT\r\n"));
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++) clock.Update();
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }
}

[TestFixture]
internal sealed class PinnedBlockPoolTests
{
    [Test]
    public void A_returned_block_is_rented_again_and_once()
    {
        using PinnedBlockPool pool = new();
        IMemoryOwner<byte> first = pool.Rent();
        Assert.That(first.Memory.Length, Is.EqualTo(PinnedBlockPool.BlockBytes));
        Assert.That(pool.Outstanding, Is.EqualTo(1));
        first.Dispose();
        first.Dispose();
        Assert.That((pool.Outstanding, pool.FreeCount), Is.EqualTo((0, 1)));
        IMemoryOwner<byte> second = pool.Rent(PinnedBlockPool.BlockBytes);
        IMemoryOwner<byte> third = pool.Rent(1);
        Assert.That(second, Is.SameAs(first));
        Assert.That(third, Is.Not.SameAs(first));
        Assert.Throws<ArgumentOutOfRangeException>(() => pool.Rent(PinnedBlockPool.BlockBytes + 1));
        Assert.That(pool.Outstanding, Is.EqualTo(2));
    }

    [Test]
    public void The_free_list_is_bounded()
    {
        using PinnedBlockPool pool = new();
        const int many = 16 * 1024 + 100;
        IMemoryOwner<byte>[] blocks = [.. Enumerable.Range(0, many).Select(_ => pool.Rent())];
        foreach (IMemoryOwner<byte> block in blocks) block.Dispose();
        Assert.That(pool.Outstanding, Is.Zero);
        Assert.That(pool.FreeCount, Is.EqualTo(16 * 1024).Or.EqualTo(16 * 1024 + 64), "and what this thread keeps, if it is the pool's");
    }

    [Test]
    public void Threads_never_share_a_block()
    {
        using PinnedBlockPool pool = new();
        Parallel.For(0, 8, worker =>
        {
            for (int i = 0; i < 5000; i++)
            {
                using IMemoryOwner<byte> block = pool.Rent();
                block.Memory.Span[..64].Fill((byte)worker);
                Thread.SpinWait(20);
                if (block.Memory.Span[..64].ContainsAnyExcept((byte)worker)) throw new InvalidOperationException("a block with two owners");
            }
        });
        Assert.That(pool.Outstanding, Is.Zero);
    }

    [Test]
    public void A_thread_rents_what_it_returned_last_and_leaves_it_behind_when_it_ends()
    {
        using PinnedBlockPool pool = new();
        Thread thread = new(() =>
        {
            IMemoryOwner<byte> first = pool.Rent();
            IMemoryOwner<byte> second = pool.Rent();
            first.Dispose();
            second.Dispose();
            Assert.That(pool.Rent(), Is.SameAs(second));
            Assert.That((pool.Outstanding, pool.FreeCount), Is.EqualTo((1, 1)));
        });
        thread.Start();
        thread.Join();
        Assert.That(pool.Outstanding, Is.EqualTo(1));
        // What it kept comes back when its thread's statics are collected.
        Assert.That(() =>
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            return pool.FreeCount == 1 && pool.Outstanding == 1;
        }, Is.True.After(5000, 20));
        IMemoryOwner<byte> third = pool.Rent();
        Assert.That((pool.Outstanding, pool.FreeCount), Is.EqualTo((2, 0)));
        third.Dispose();
    }

    /// <summary>The block that a handler may be writing to when a send loop fails.</summary>
    [Test]
    public void The_last_block_of_an_output_that_failed_is_never_used_again()
    {
        using PinnedBlockPool pool = new();
        bool hasFailed = false;
        OutputBlocks output = new(pool, () => hasFailed);
        IMemoryOwner<byte> first = output.Rent();
        first.Dispose();
        Assert.That(pool.FreeCount, Is.EqualTo(1), "no failure: used again");
        first = output.Rent();
        IMemoryOwner<byte> last = output.Rent();
        hasFailed = true;
        first.Dispose();
        last.Dispose();
        Assert.That((pool.FreeCount, pool.Outstanding), Is.EqualTo((1, 0)));
        Assert.That(pool.Rent(), Is.SameAs(first));

        last = output.Rent();
        output.OwnerDone();
        last.Dispose();
        Assert.That(pool.FreeCount, Is.EqualTo(1), "its owner wrote no more");
    }
}
