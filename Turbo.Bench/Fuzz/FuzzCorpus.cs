namespace Turbo.Bench.Fuzz;

/// <summary>Inputs that each did something new, and which of them are worth the most time.</summary>
internal sealed class FuzzCorpus
{
    private sealed record Entry(byte[] Bytes, int[] Features);

    private readonly List<Entry> _entries = [];

    // The shortest input for each feature.
    private readonly Dictionary<int, Entry> _shortest = [];
    private List<Entry> _favoured = [];
    private bool _isStale;

    public int Count => _entries.Count;

    public IEnumerable<byte[]> All => _entries.Select(static e => e.Bytes);

    /// <summary>A few inputs that together have every feature.</summary>
    public IEnumerable<byte[]> Smallest
    {
        get
        {
            Choose();
            return _favoured.Select(static e => e.Bytes);
        }
    }

    public void Add(byte[] bytes, int[] features)
    {
        Entry entry = new(bytes, features);
        _entries.Add(entry);
        foreach (int feature in features)
        {
            if (_shortest.TryGetValue(feature, out Entry? best) && best.Bytes.Length <= bytes.Length) continue;
            _shortest[feature] = entry;
            _isStale = true;
        }
    }

    public byte[] Pick(Random random)
    {
        Choose();
        List<Entry> from = random.Next(4) > 0 ? _favoured : _entries;
        // The newest lead on.
        int at = random.Next(3) == 0 ? from.Count - 1 - random.Next(Math.Min(from.Count, 32)) : random.Next(from.Count);
        return from[at].Bytes;
    }

    private void Choose()
    {
        if (!_isStale) return;
        _isStale = false;
        HashSet<int> had = [];
        HashSet<Entry> chosen = [];
        foreach ((int feature, Entry entry) in _shortest.OrderBy(static f => f.Value.Bytes.Length))
        {
            if (had.Contains(feature) || !chosen.Add(entry)) continue;
            had.UnionWith(entry.Features);
        }
        _favoured = [.. _entries.Where(chosen.Contains)];
    }
}
