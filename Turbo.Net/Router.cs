using System.Numerics;
using System.Runtime.InteropServices;
using System.Text;

namespace Turbo.Net;

/// <summary>What a <see cref="RouteTable{T}"/> found.</summary>
/// <typeparam name="T">What a route leads to.</typeparam>
public readonly struct RouteMatch<T>
{
    internal RouteMatch(T? target, ReadOnlyMemory<byte> allow, RoutePattern? pattern)
    {
        Target = target;
        Allow = allow;
        Pattern = pattern;
        IsKnownPath = true;
    }

    /// <summary>What the path and method lead to; default when there is no such route.</summary>
    public T? Target { get; }

    /// <summary>The methods of the path, as the Allow field lists them (RFC 9110 §10.2.1).</summary>
    public ReadOnlyMemory<byte> Allow { get; }

    /// <summary>Whether some method leads somewhere: then a missing <see cref="Target"/> is 405, else 404.</summary>
    public bool IsKnownPath { get; }

    /// <summary>Reads the path's parameters; null where the route has none.</summary>
    public RoutePattern? Pattern { get; }
}

/// <summary>A route as it was added to a <see cref="RouteTable{T}"/>.</summary>
/// <typeparam name="T">What a route leads to.</typeparam>
/// <param name="Method">Its method; null for any.</param>
/// <param name="Path">Its path, as it was given.</param>
/// <param name="Target">What it leads to.</param>
public readonly record struct RegisteredRoute<T>(HttpMethod? Method, string Path, T Target);

/// <summary>
/// Path bytes and method → target. Exact paths are one hash lookup; after them come paths with parameters
/// (<see cref="RoutePattern"/>), a literal segment before a parameter, and then paths that end in '*' and match
/// everything below, the longest first. Compared as sent: no decoding, no case folding. Built once, then read by all
/// threads.
/// </summary>
/// <typeparam name="T">What a route leads to.</typeparam>
public class RouteTable<T> where T : class
{
    private sealed class Entry(byte[] path, RoutePattern? pattern = null)
    {
        public readonly byte[] Path = path;
        public readonly RoutePattern? Pattern = pattern;
        public readonly T?[] ByMethod = new T?[(int)HttpMethod.Connect + 1];
        public T? Any;
        public byte[] Allow = [];
        public Entry? Next;
    }

    private readonly List<RegisteredRoute<T>> _registered = [];
    private readonly List<Entry> _entries = [];
    private readonly List<Entry> _patterns = [];
    private readonly List<Entry> _prefixes = [];
    private Entry?[] _buckets = new Entry?[16];

    /// <summary>Every route, in the order in which they were added.</summary>
    public IReadOnlyList<RegisteredRoute<T>> Registered => _registered;

    /// <summary>Adds a route for GET, and for HEAD unless that has its own.</summary>
    public void Get(ReadOnlySpan<byte> path, T target) => Map(HttpMethod.Get, path, target);

    /// <summary>Adds a route for POST.</summary>
    public void Post(ReadOnlySpan<byte> path, T target) => Map(HttpMethod.Post, path, target);

    /// <summary>Adds a route for any method, those without a name included. A second one for the same path throws.</summary>
    public void Any(ReadOnlySpan<byte> path, T target)
    {
        Entry entry = FindOrAdd(path);
        if (entry.Any is not null) throw new ArgumentException($"two routes for {Encoding.ASCII.GetString(path)}");
        entry.Any = target;
        SetAllow(entry);
        _registered.Add(new RegisteredRoute<T>(null, Encoding.UTF8.GetString(path), target));
    }

    /// <summary>Adds a route. A second one for the same method and path throws.</summary>
    public void Map(HttpMethod method, ReadOnlySpan<byte> path, T target)
    {
        Entry entry = FindOrAdd(path);
        if (entry.ByMethod[(int)method] is not null) throw new ArgumentException($"two routes for {method} {Encoding.ASCII.GetString(path)}");
        entry.ByMethod[(int)method] = target;
        SetAllow(entry);
        _registered.Add(new RegisteredRoute<T>(method, Encoding.UTF8.GetString(path), target));
    }

    /// <summary>Whether a path was added as it is written here, for whatever method.</summary>
    public bool Has(ReadOnlySpan<byte> path) => !path.IsEmpty && Find(path) is not null;

    /// <summary>Finds the target of a request.</summary>
    public RouteMatch<T> Match(HttpMethod method, ReadOnlySpan<byte> path)
    {
        Entry? entry = Lookup(path);
        if (entry is null) return MatchBelow(method, path);
        T? target = Target(entry, method);
        // Another that fits may take the method: GET /note/{id} beside POST /note/new.
        if (target is null && _patterns.Count > 0 && MatchBelow(method, path) is { Target: not null } other) return other;
        return new RouteMatch<T>(target, entry.Allow, null);
    }

    /// <summary>The target of a path that was added as it is, for that method; null where <see cref="Match"/> is to be asked.</summary>
    private protected T? MatchExact(HttpMethod method, ReadOnlySpan<byte> path) => Lookup(path) is { } entry ? Target(entry, method) : null;

    private static T? Target(Entry entry, HttpMethod method)
    {
        T? target = entry.ByMethod[(int)method] ?? entry.Any;
        return target is null && method == HttpMethod.Head ? entry.ByMethod[(int)HttpMethod.Get] : target;
    }

    private RouteMatch<T> MatchBelow(HttpMethod method, ReadOnlySpan<byte> path)
    {
        RouteMatch<T> known = default;
        foreach (Entry pattern in _patterns)
        {
            if (!pattern.Pattern!.Matches(path)) continue;
            T? target = Target(pattern, method);
            if (target is not null) return new RouteMatch<T>(target, pattern.Allow, pattern.Pattern);
            if (!known.IsKnownPath) known = new RouteMatch<T>(null, pattern.Allow, pattern.Pattern);
        }
        if (known.IsKnownPath) return known;
        foreach (Entry prefix in _prefixes)
        {
            if (path.StartsWith(prefix.Path)) return new RouteMatch<T>(Target(prefix, method), prefix.Allow, null);
        }
        return default;
    }

    private static uint Hash(ReadOnlySpan<byte> path)
    {
        // Paths here are the program's own, not the client's: a mix of length and both ends is enough.
        ulong first = 0, last = 0;
        if (path.Length >= sizeof(ulong))
        {
            first = MemoryMarshal.Read<ulong>(path);
            last = MemoryMarshal.Read<ulong>(path[^sizeof(ulong)..]);
        }
        else
        {
            foreach (byte b in path) first = first << 8 | b;
        }
        ulong mixed = (first ^ BitOperations.RotateLeft(last, 29) ^ (ulong)path.Length) * 0x9E3779B97F4A7C15;
        // Each byte is to count in the few bits that choose a bucket.
        mixed = (mixed ^ mixed >> 32) * 0x9E3779B97F4A7C15;
        return (uint)(mixed >> 32);
    }

    private Entry? Lookup(ReadOnlySpan<byte> path)
    {
        for (Entry? entry = _buckets[Hash(path) & (_buckets.Length - 1)]; entry is not null; entry = entry.Next)
        {
            if (path.SequenceEqual(entry.Path)) return entry;
        }
        return null;
    }

    private Entry FindOrAdd(ReadOnlySpan<byte> path)
    {
        if (path.IsEmpty || path[0] is not ((byte)'/' or (byte)'*')) throw new ArgumentException("a path begins with '/'", nameof(path));
        return Find(path) ?? Add(path);
    }

    private Entry? Find(ReadOnlySpan<byte> path)
    {
        if (RoutePattern.HasParameters(path)) return FindPattern(RoutePattern.Parse(path));
        if (path[^1] != '*') return Lookup(path);
        foreach (Entry prefix in _prefixes)
        {
            if (path[..^1].SequenceEqual(prefix.Path)) return prefix;
        }
        return null;
    }

    private Entry? FindPattern(RoutePattern pattern)
    {
        foreach (Entry entry in _patterns)
        {
            if (!entry.Pattern!.IsLike(pattern)) continue;
            if (entry.Pattern.Text != pattern.Text) throw new ArgumentException($"{pattern.Text} and {entry.Pattern.Text} fit the same paths: name their parameters alike");
            return entry;
        }
        return null;
    }

    private Entry Add(ReadOnlySpan<byte> path)
    {
        if (RoutePattern.HasParameters(path))
        {
            Entry added = new(path.ToArray(), RoutePattern.Parse(path));
            int place = _patterns.FindIndex(other => added.Pattern!.Compare(other.Pattern!) < 0);
            _patterns.Insert(place < 0 ? _patterns.Count : place, added);
            return added;
        }
        if (path[^1] == '*')
        {
            Entry prefix = new(path[..^1].ToArray());
            int at = _prefixes.FindIndex(p => p.Path.Length < prefix.Path.Length);
            _prefixes.Insert(at < 0 ? _prefixes.Count : at, prefix);
            return prefix;
        }
        Entry entry = new(path.ToArray());
        _entries.Add(entry);
        if (_entries.Count * 2 > _buckets.Length) _buckets = new Entry?[_buckets.Length * 2];
        else Array.Clear(_buckets);
        foreach (Entry e in _entries)
        {
            ref Entry? bucket = ref _buckets[Hash(e.Path) & (_buckets.Length - 1)];
            e.Next = bucket;
            bucket = e;
        }
        return entry;
    }

    private static void SetAllow(Entry entry)
    {
        List<string> methods = [];
        for (int i = 1; i < entry.ByMethod.Length; i++)
        {
            bool isHeadOfGet = (HttpMethod)i == HttpMethod.Head && entry.ByMethod[(int)HttpMethod.Get] is not null;
            if (entry.ByMethod[i] is not null || entry.Any is not null || isHeadOfGet) methods.Add(Encoding.ASCII.GetString(HttpMethods.Name((HttpMethod)i)));
        }
        entry.Allow = Encoding.ASCII.GetBytes(string.Join(", ", methods));
    }
}

/// <summary>
/// Routes straight to handlers; answers 404, and 405 with Allow, through the server's error writer, and OPTIONS for the
/// server as a whole (RFC 9110 §9.3.7) with 204.
/// </summary>
public sealed class Router : RouteTable<RequestHandler>
{
    /// <summary>The handler to give a <see cref="TurboServer"/>.</summary>
    public ValueTask HandleAsync(Exchange exchange)
    {
        if (MatchExact(exchange.Method, exchange.Path) is { } exact) return exact(exchange);
        RouteMatch<RequestHandler> match = Match(exchange.Method, exchange.Path);
        exchange.Pattern = match.Pattern;
        if (match.Target is { } handler) return handler(exchange);
        if (exchange.IsForServer)
        {
            exchange.Response.Start(204);
            exchange.Response.EndHead(0);
        }
        else if (match.IsKnownPath)
        {
            exchange.Response.PresetLines = (byte[])[.. "Allow: "u8, .. match.Allow.Span, .. "\r\n"u8];
            exchange.Server.Options.WriteError(exchange, 405, "method not allowed");
        }
        else
        {
            exchange.Server.Options.WriteError(exchange, 404, "not found");
        }
        return default;
    }
}
