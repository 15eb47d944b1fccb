using System.Buffers;
using System.Collections.Concurrent;

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

    public override int MaxBufferSize => BlockBytes;

    public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(minBufferSize, BlockBytes);
        Interlocked.Increment(ref _outstanding);
        if (_free.TryDequeue(out Block? block))
        {
            Interlocked.Decrement(ref _freeCount);
            block.Rented();
            return block;
        }
        return new Block(this);
    }

    protected override void Dispose(bool disposing) => _free.Clear();

    private void Return(Block block)
    {
        Interlocked.Decrement(ref _outstanding);
        if (Interlocked.Increment(ref _freeCount) <= MaxFreeBlocks) _free.Enqueue(block);
        else Interlocked.Decrement(ref _freeCount);
    }

    private sealed class Block(PinnedBlockPool pool) : IMemoryOwner<byte>
    {
        private readonly byte[] _bytes = GC.AllocateUninitializedArray<byte>(BlockBytes, pinned: true);
        private int _isReturned;

        public Memory<byte> Memory => _bytes;

        public void Rented() => _isReturned = 0;

        // A second Dispose would hand one block to two owners.
        public void Dispose()
        {
            if (Interlocked.Exchange(ref _isReturned, 1) == 0) pool.Return(this);
        }
    }
}
