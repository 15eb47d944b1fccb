using System.Buffers;
using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace Turbo.Net.Buffers;

/// <summary>
/// Fixed blocks on the pinned heap, so that the kernel reads and writes them without pinning per call. Blocks come
/// back to a free list bounded by <see cref="MaxFreeBlocks"/>; beyond it they are left to the collector.
/// </summary>
internal sealed class PinnedBlockPool : MemoryPool<byte>
{
    public const int BlockBytes = 4096;

    private const int MaxFreeBlocks = 16 * 1024;

    private readonly ConcurrentQueue<Block> _free = new();
    private int _freeCount;
    private int _outstanding;

    public static new PinnedBlockPool Shared { get; } = new();

    /// <summary>Blocks rented and not yet returned.</summary>
    public int Outstanding => Volatile.Read(ref _outstanding);

    /// <summary>Blocks that wait for the next rent.</summary>
    public int FreeCount => Volatile.Read(ref _freeCount);

    public override int MaxBufferSize => BlockBytes;

    public override IMemoryOwner<byte> Rent(int minBufferSize = -1) => Rent(minBufferSize, null);

    /// <summary>Rents a block.</summary>
    public Block RentBlock() => Rent(-1, null);

    /// <summary>Rents a block whose return <paramref name="user"/> has a say in.</summary>
    public Block Rent(int minBufferSize, OutputBlocks? user)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(minBufferSize, BlockBytes);
        Interlocked.Increment(ref _outstanding);
        if (_free.TryDequeue(out Block? block)) Interlocked.Decrement(ref _freeCount);
        else block = new Block(this);
        block.Rented(user);
        return block;
    }

    protected override void Dispose(bool disposing) => _free.Clear();

    private void Return(Block block, bool isReusable)
    {
        Interlocked.Decrement(ref _outstanding);
        if (!isReusable) return;
        if (Interlocked.Increment(ref _freeCount) <= MaxFreeBlocks) _free.Enqueue(block);
        else Interlocked.Decrement(ref _freeCount);
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

        /// <summary>The block that follows in a chain.</summary>
        public new Block? Next => (Block?)base.Next;

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
            if (Interlocked.Exchange(ref _isReturned, 1) != 0) return;
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
