using System.Security.Cryptography;
using System.Text;
using Turbo.Server.Storage;

namespace Turbo.Server.Auth;

internal enum PasswordVerdict
{
    Match,

    /// <summary>It matches, and the stored hash cost less than ours do: hash anew.</summary>
    WeakMatch,
    Mismatch,

    /// <summary>Too many wait: not looked at.</summary>
    Busy,
}

/// <summary>
/// bcrypt on threads of its own, one fewer than the machine has cores, so that hashing never holds up proxying. What
/// waits for them is bounded.
/// </summary>
internal sealed class Passwords : IDisposable
{
    /// <summary>bcrypt reads no further, so a longer password is refused (400).</summary>
    public const int MaxBytes = 72;

    private const string GeneratedAlphabet = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789-_";

    private readonly int _cost;
    private readonly string _dummyHash;
    private readonly WorkQueue<Job> _queue;
    private long _rounds;

    /// <param name="cost">BCRYPT_COST: the logarithm of the rounds, 4 to 31. Default 10.</param>
    /// <param name="queue">Passwords that may wait for a worker. Default 512.</param>
    /// <param name="workers">Threads; by default one fewer than there are cores, at least one.</param>
    public Passwords(int cost = 10, int queue = 512, int? workers = null)
    {
        _cost = cost;
        // A hash that nothing has: no password encodes to all dots.
        _dummyHash = $"$2a${cost:00}${new string('.', 53)}";
        _queue = new WorkQueue<Job>(queue);
        int threads = workers ?? Math.Max(1, Environment.ProcessorCount - 1);
        for (int i = 0; i < threads; i++)
            BackgroundThread.Start("bcrypt", Loop);
    }

    /// <summary>Rounds of bcrypt computed so far: what an answer took, whatever else the machine did meanwhile.</summary>
    internal long Rounds => Volatile.Read(ref _rounds);

    public static bool IsTooLong(string password) => Encoding.UTF8.GetByteCount(password) > MaxBytes;

    /// <summary>A password for a user who gave none: 20 characters, 117 random bits.</summary>
    public static string Generate() => RandomNumberGenerator.GetString(GeneratedAlphabet, 20);

    /// <summary>The hash of a password of at most <see cref="MaxBytes"/>; null when too many wait.</summary>
    public async Task<string?> HashAsync(string password)
    {
        if (IsTooLong(password))
            throw new ArgumentException("longer than bcrypt reads", nameof(password));
        var job = new Job { Password = password };
        return _queue.TryAdd(job) == QueueOutcome.Added ? (await job.Answer.Task).Hash : null;
    }

    /// <summary>
    /// Compares with a user's hash. Without one (no such user), with a wrong password, or with a hash of lower cost,
    /// a mismatch takes as long as one of our cost does.
    /// </summary>
    public async Task<PasswordVerdict> VerifyAsync(string password, string? storedHash)
    {
        var job = new Job { Password = password, StoredHash = storedHash ?? "", IsVerify = true };
        return _queue.TryAdd(job) == QueueOutcome.Added ? (await job.Answer.Task).Verdict : PasswordVerdict.Busy;
    }

    /// <summary>Refuses more; what is queued is still answered.</summary>
    public void Dispose() => _queue.Close();

    private void Loop()
    {
        var jobs = new List<Job>(1);
        while (_queue.Take(jobs, 1))
        {
            Job job = jobs[0];
            jobs.Clear();
            try
            {
                job.Answer.SetResult(job.IsVerify
                    ? (null, Verify(job.Password, job.StoredHash))
                    : (Hash(job.Password), default));
            }
            catch (Exception e)
            {
                job.Answer.SetException(e);
            }
        }
    }

    private string Hash(string password)
    {
        Interlocked.Add(ref _rounds, 1L << _cost);
        return BCrypt.Net.BCrypt.HashPassword(password, _cost);
    }

    private bool Matches(string password, string hash, int cost)
    {
        Interlocked.Add(ref _rounds, 1L << cost);
        return BCrypt.Net.BCrypt.Verify(password, hash);
    }

    private PasswordVerdict Verify(string password, string stored)
    {
        int storedCost = CostOf(stored);
        bool isTooLong = IsTooLong(password);
        if (storedCost > 0 && !isTooLong && Matches(password, stored, storedCost))
            return storedCost < _cost ? PasswordVerdict.WeakMatch : PasswordVerdict.Match;
        if (storedCost < _cost || isTooLong)
            Matches(isTooLong ? "" : password, _dummyHash, _cost);
        return PasswordVerdict.Mismatch;
    }

    /// <summary>0 for what is no bcrypt hash.</summary>
    private static int CostOf(string hash) =>
        hash.Length == 60 && hash.StartsWith("$2", StringComparison.Ordinal) && hash[2] is 'a' or 'b' or 'y' &&
        hash[3] == '$' && hash[6] == '$' && int.TryParse(hash.AsSpan(4, 2), out int cost) && cost is >= 4 and <= 31
            ? cost
            : 0;

    private sealed class Job
    {
        public required string Password { get; init; }
        public string StoredHash { get; init; } = "";
        public bool IsVerify { get; init; }

        public TaskCompletionSource<(string? Hash, PasswordVerdict Verdict)> Answer { get; } =
            new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
