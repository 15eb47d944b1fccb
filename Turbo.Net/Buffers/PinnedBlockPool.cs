using System.Buffers;
using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Turbo.Net.Buffers;

/// <summary>
/// Fixed blocks on the pinned heap, so that the kernel reads and writes them without pinning per call. Each thread keeps
/// a few of those that it returned last, and rents them again first, while they are still in its processor's cache and
/// without an interlocked operation. The others are on a free list for all, bounded by <see cref="MaxFreeBlocks"/>;
/// beyond it they are left to the collector.
/// </summary>
internal sealed class PinnedBlockPool : MemoryPool<byte>
{
    public const int BlockBytes = 4096;

    private const int MaxFreeBlocks = 16 * 1024;

    // What a thread keeps: 256 KiB.
    private const int MaxKeptBlocks = 64;

    // A thread belongs to the first pool that it uses: in a server there is one.
    [ThreadStatic] private static ThreadBlocks? t_blocks;

    private readonly ConcurrentQueue<Block> _free = new();
    private readonly Lock _cellsLock = new();
    private readonly List<Cell> _cells = [];
    private int _freeCount;
    private int _outstanding;

    public static new PinnedBlockPool Shared { get; } = new();

    /// <summary>Blocks rented and not yet returned; exact while no other thread rents or returns.</summary>
    public int Outstanding
    {
        get
        {
            lock (_cellsLock)
            {
                int outstanding = Volatile.Read(ref _outstanding);
                foreach (Cell cell in _cells) outstanding += Volatile.Read(ref cell.Outstanding);
                return outstanding;
            }
        }
    }

    /// <summary>Blocks that wait for the next rent.</summary>
    public int FreeCount
    {
        get
        {
            lock (_cellsLock)
            {
                int free = Volatile.Read(ref _freeCount);
                foreach (Cell cell in _cells) free += Volatile.Read(ref cell.Kept);
                return free;
            }
        }
    }

    public override int MaxBufferSize => BlockBytes;

    public override IMemoryOwner<byte> Rent(int minBufferSize = -1) => Rent(minBufferSize, null);

    /// <summary>Rents a block.</summary>
    public Block RentBlock() => Rent(-1, null);

    /// <summary>Rents a block whose return <paramref name="user"/> has a say in.</summary>
    public Block Rent(int minBufferSize, OutputBlocks? user)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(minBufferSize, BlockBytes);
        Block? block = null;
        if (ThreadBlocksHere() is { } here)
        {
            here.Cell.Outstanding++;
            block = here.TryTake();
        }
        else
        {
            Interlocked.Increment(ref _outstanding);
        }
        block ??= TakeFree() ?? new Block(this);
        block.Rented(user);
        return block;
    }

    protected override void Dispose(bool disposing) => _free.Clear();

    private void Return(Block block, bool isReusable)
    {
        if (ThreadBlocksHere() is { } here)
        {
            here.Cell.Outstanding--;
            if (!isReusable || here.TryKeep(block)) return;
        }
        else
        {
            Interlocked.Decrement(ref _outstanding);
            if (!isReusable) return;
        }
        AddFree(block);
    }

    private Block? TakeFree()
    {
        if (!_free.TryDequeue(out Block? block)) return null;
        Interlocked.Decrement(ref _freeCount);
        return block;
    }

    private void AddFree(Block block)
    {
        if (Interlocked.Increment(ref _freeCount) <= MaxFreeBlocks) _free.Enqueue(block);
        else Interlocked.Decrement(ref _freeCount);
    }

    // Null where the calling thread belongs to another pool.
    private ThreadBlocks? ThreadBlocksHere()
    {
        ThreadBlocks? here = t_blocks;
        if (here is null) return t_blocks = Adopt();
        return ReferenceEquals(here.Pool, this) ? here : null;
    }

    private ThreadBlocks Adopt()
    {
        ThreadBlocks blocks = new(this);
        lock (_cellsLock) _cells.Add(blocks.Cell);
        return blocks;
    }

    // A thread has ended: what it kept is everybody's, and what it counted stays counted.
    private void Retire(ThreadBlocks blocks)
    {
        while (blocks.TryTake() is { } block) AddFree(block);
        lock (_cellsLock)
        {
            _cells.Remove(blocks.Cell);
            Interlocked.Add(ref _outstanding, blocks.Cell.Outstanding);
        }
    }

    /// <summary>What a thread has counted: written by it alone.</summary>
    private sealed class Cell
    {
        /// <summary>Blocks that it rented less those that it returned, which others may have rented.</summary>
        public int Outstanding;

        public int Kept;
    }

    /// <summary>The blocks that a thread keeps, the last one returned on top.</summary>
    private sealed class ThreadBlocks(PinnedBlockPool pool)
    {
        private readonly Block?[] _kept = new Block?[MaxKeptBlocks];

        public PinnedBlockPool Pool => pool;

        public Cell Cell { get; } = new();

        ~ThreadBlocks() => pool.Retire(this);

        public Block? TryTake()
        {
            int top = Cell.Kept - 1;
            if (top < 0) return null;
            Block? block = _kept[top];
            _kept[top] = null;
            Cell.Kept = top;
            return block;
        }

        public bool TryKeep(Block block)
        {
            int top = Cell.Kept;
            if (top == MaxKeptBlocks) return false;
            _kept[top] = block;
            Cell.Kept = top + 1;
            return true;
        }
    }

    /// <summary>A block; also a piece of a sequence, for whoever chains blocks.</summary>
    internal sealed class Block : ReadOnlySequenceSegment<byte>, IMemoryOwner<byte>
    {
        private readonly PinnedBlockPool _pool;
        private readonly byte[] _bytes = GC.AllocateUninitializedArray<byte>(BlockBytes, pinned: true);
        private OutputBlocks? _user;
        private int _isReturned;

        public Block(PinnedBlockPool pool)
        {
            _pool = pool;
            Address = Marshal.UnsafeAddrOfPinnedArrayElement(_bytes, 0);
            Memory = _bytes;
        }

        /// <summary>Where its first byte is.</summary>
        public nint Address { get; }

        /// <summary>All of its bytes.</summary>
        public byte[] Bytes => _bytes;

        /// <summary>The block that follows in a chain. None but <see cref="Link"/> sets it.</summary>
        public new Block? Next => Unsafe.As<Block?>(base.Next);

        Memory<byte> IMemoryOwner<byte>.Memory => _bytes;

        /// <summary>Ends this piece of a sequence after <paramref name="length"/> bytes and goes on with another block.</summary>
        public void Link(Block next, int length)
        {
            Memory = _bytes.AsMemory(0, length);
            next.RunningIndex = RunningIndex + length;
            base.Next = next;
        }

        public void Rented(OutputBlocks? user)
        {
            _user = user;
            _isReturned = 0;
        }

        // A second Dispose would hand one block to two owners.
        public void Dispose()
        {
            if (Interlocked.Exchange(ref _isReturned, 1) == 0) Return();
        }

        /// <summary>As <see cref="Dispose"/>, by an owner that shares the block with no other thread.</summary>
        public void Recycle()
        {
            if (_isReturned != 0) return;
            _isReturned = 1;
            Return();
        }

        private void Return()
        {
            if (base.Next is not null)
            {
                base.Next = null;
                Memory = _bytes;
            }
            RunningIndex = 0;
            _pool.Return(this, _user is null || _user.IsReusable(this));
        }
    }
}

/// <summary>
/// The blocks of one connection's output. A send loop that fails ends its pipe at once and on its own thread, and that
/// returns the very block which a handler may be writing to. Used again, that block would carry one client's response
/// into another's bytes; so it is the one block that is left to the collector.
/// </summary>
/// <param name="pool">Where the blocks come from.</param>
/// <param name="hasFailed">Whether the connection ended in another way than by its owner.</param>
internal sealed class OutputBlocks(PinnedBlockPool pool, Func<bool> hasFailed) : MemoryPool<byte>
{
    private volatile PinnedBlockPool.Block? _last;
    private volatile bool _isOwnerDone;

    public override int MaxBufferSize => pool.MaxBufferSize;

    public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
    {
        PinnedBlockPool.Block block = pool.Rent(minBufferSize, this);
        _last = block;
        return block;
    }

    public bool HasFailed => hasFailed();

    /// <summary>The owner writes no more.</summary>
    public void OwnerDone() => _isOwnerDone = true;

    public bool IsReusable(PinnedBlockPool.Block block) => _isOwnerDone || !ReferenceEquals(block, _last) || !HasFailed;

    protected override void Dispose(bool disposing)
    {
        // The blocks are the pool's.
    }
}
