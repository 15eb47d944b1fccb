using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Globalization;
using System.Net;

namespace Turbo.Server;

internal delegate bool TryParseOption<T>(string text, out T value);

/// <summary>How one variable's text becomes a value, and in words what it takes.</summary>
internal sealed record OptionParser<T>(string Accepts, TryParseOption<T> TryParse);

/// <summary>The parsers that the option table is made of. None of them throws, trims or guesses.</summary>
internal static class OptionParser
{
    private static readonly (string Suffix, long Ticks)[] s_durationUnits =
    [
        ("ms", TimeSpan.TicksPerMillisecond),
        ("s", TimeSpan.TicksPerSecond),
        ("m", TimeSpan.TicksPerMinute),
        ("h", TimeSpan.TicksPerHour),
        ("d", TimeSpan.TicksPerDay),
    ];

    private static readonly (string Suffix, long Bytes)[] s_sizeUnits = [("K", 1L << 10), ("M", 1L << 20), ("G", 1L << 30)];

    /// <summary>A whole number with a unit: <c>500ms</c>, <c>30s</c>, <c>5m</c>, <c>12h</c>, <c>30d</c>.</summary>
    public static OptionParser<TimeSpan> Duration(string least, string most)
    {
        TimeSpan low = ParseDuration(least), high = ParseDuration(most);
        return new($"a duration from {least} to {most}, such as 500ms, 30s, 5m, 12h or 30d", (string text, out TimeSpan value) =>
            TryDuration(text, out value) && value >= low && value <= high);
    }

    /// <summary>A duration, or a word that stands for none.</summary>
    public static OptionParser<TimeSpan?> DurationOr(string word, string least, string most)
    {
        OptionParser<TimeSpan> duration = Duration(least, most);
        return new($"{word}, or {duration.Accepts}", (string text, out TimeSpan? value) =>
        {
            value = null;
            if (text == word) return true;
            if (!duration.TryParse(text, out TimeSpan some)) return false;
            value = some;
            return true;
        });
    }

    /// <summary>Bytes, alone or in units of 1024: <c>500</c>, <c>64K</c>, <c>10M</c>, <c>1G</c>.</summary>
    public static OptionParser<long> Size(string least, string most)
    {
        if (!TrySize(least, out long low) || !TrySize(most, out long high)) throw new ArgumentException("Not a size.", nameof(least));
        return new($"a size in bytes from {least} to {most}, such as 500, 64K, 10M or 1G", (string text, out long value) =>
            TrySize(text, out value) && value >= low && value <= high);
    }

    public static OptionParser<int> Count(int least, int most) =>
        new($"a whole number from {least} to {most}", (string text, out int value) =>
            int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value) && value >= least && value <= most);

    /// <summary>One of a few words, each spelled exactly so.</summary>
    public static OptionParser<T> Word<T>(params (string Word, T Value)[] words) =>
        new(string.Join(" or ", string.Join(", ", words[..^1].Select(w => w.Word)), words[^1].Word), (string text, out T value) =>
        {
            foreach ((string word, T meaning) in words)
            {
                value = meaning;
                if (word == text) return true;
            }
            value = default!;
            return false;
        });

    public static OptionParser<bool> Switch { get; } =
        Word(("on", true), ("off", false), ("true", true), ("false", false), ("1", true), ("0", false));

    /// <summary>What goes into a header field as it stands: printable ASCII without spaces, or empty for none.</summary>
    public static OptionParser<string> Secret { get; } =
        new("printable ASCII without spaces", (string text, out string value) =>
        {
            value = text;
            return text.All(c => c is > ' ' and < '\x7f');
        });

    public static OptionParser<ImmutableArray<ListenAddress>> AddressList { get; } =
        List<ListenAddress>(":PORT, HOST:PORT or [IPV6]:PORT with a port from 0 to 65535, several separated by commas", ListenAddress.TryParse);

    /// <summary>Addresses and CIDR networks; an address is a network of one.</summary>
    public static OptionParser<ImmutableArray<IPNetwork>> Networks { get; } =
        List<IPNetwork>("IP addresses or networks such as 10.0.0.0/8, separated by commas", TryNetwork);

    /// <summary><c>*</c> alone, or origins as a browser sends them (RFC 6454 §6.2): lower-case, no path, no default port.</summary>
    public static OptionParser<ImmutableArray<string>> Origins { get; } = MakeOrigins();

    /// <summary>Comma-separated <c>name=model</c> pairs, each name once.</summary>
    public static OptionParser<FrozenDictionary<string, string>> Aliases { get; } = MakeAliases();

    public static OptionParser<UpstreamTarget> UpstreamUrl { get; } =
        new("http://HOST or https://HOST, with a port and a path if need be, without user, query or fragment", UpstreamTarget.TryParse);

    public static OptionParser<DbAddress> DatabaseUrl { get; } =
        new("sqlite:PATH or postgres://USER:PASSWORD@HOST:PORT/DB?sslmode=MODE", DbAddress.TryParse);

    public static OptionParser<RedisAddress?> RedisUrl { get; } =
        new("redis://:PASSWORD@HOST:PORT/DB, or rediss:// for TLS", (string text, out RedisAddress? value) =>
        {
            value = null;
            return text.Length == 0 || RedisAddress.TryParse(text, out value);
        });

    /// <summary>A file that can be opened for reading now; or empty for none.</summary>
    public static OptionParser<string> ReadableFile { get; } =
        new("the path of a readable PEM file", (string text, out string value) =>
        {
            value = text;
            if (text.Length == 0) return true;
            try
            {
                using FileStream file = File.OpenRead(text);
                return true;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
            {
                return false;
            }
        });

    public static bool TryDuration(string text, out TimeSpan value)
    {
        value = default;
        int digits = text.AsSpan().IndexOfAnyExceptInRange('0', '9');
        if (digits <= 0 || !long.TryParse(text.AsSpan(0, digits), NumberStyles.None, CultureInfo.InvariantCulture, out long number)) return false;
        foreach ((string suffix, long ticks) in s_durationUnits)
        {
            if (!text.AsSpan(digits).SequenceEqual(suffix)) continue;
            if (number > TimeSpan.MaxValue.Ticks / ticks) return false;
            value = new TimeSpan(number * ticks);
            return true;
        }
        return false;
    }

    public static bool TrySize(string text, out long value)
    {
        value = 0;
        ReadOnlySpan<char> number = text;
        long unit = 1;
        foreach ((string suffix, long bytes) in s_sizeUnits)
        {
            if (!number.EndsWith(suffix, StringComparison.OrdinalIgnoreCase)) continue;
            number = number[..^1];
            unit = bytes;
            break;
        }
        if (!long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out long count) || count > long.MaxValue / unit) return false;
        value = count * unit;
        return true;
    }

    private static TimeSpan ParseDuration(string text) =>
        TryDuration(text, out TimeSpan value) ? value : throw new ArgumentException("Not a duration.", nameof(text));

    /// <summary>Elements between commas, blanks around each allowed, none empty; empty text is an empty list.</summary>
    private static OptionParser<ImmutableArray<T>> List<T>(string accepts, TryParseOption<T> one) =>
        new(accepts, (string text, out ImmutableArray<T> value) =>
        {
            value = [];
            if (text.Length == 0) return true;
            var items = ImmutableArray.CreateBuilder<T>();
            foreach (string part in text.Split(',', StringSplitOptions.TrimEntries))
            {
                if (!one(part, out T item)) return false;
                items.Add(item);
            }
            value = items.DrainToImmutable();
            return true;
        });

    private static bool TryNetwork(string text, out IPNetwork value)
    {
        value = default;
        // IPAddress takes `1` and `0x7f.1` too; a configuration that holds them holds a mistake.
        int slash = text.IndexOf('/', StringComparison.Ordinal);
        string addressText = slash < 0 ? text : text[..slash];
        if (!IPAddress.TryParse(addressText, out IPAddress? address)) return false;
        bool isV6 = addressText.Contains(':', StringComparison.Ordinal);
        if (!isV6 && address.ToString() != addressText) return false;
        if (slash < 0)
        {
            value = new IPNetwork(address, isV6 ? 128 : 32);
            return true;
        }
        return text.AsSpan(slash + 1).IndexOfAnyExceptInRange('0', '9') < 0 && IPNetwork.TryParse(text, out value) && value.BaseAddress.Equals(address);
    }

    private static OptionParser<ImmutableArray<string>> MakeOrigins()
    {
        OptionParser<ImmutableArray<string>> list = List<string>("*, or origins such as https://app.example:8443, separated by commas", TryOrigin);
        return list with
        {
            TryParse = (string text, out ImmutableArray<string> value) =>
                list.TryParse(text, out value) && (value.Length == 1 || !value.Contains("*")),
        };
    }

    private static bool TryOrigin(string text, out string value)
    {
        value = text;
        if (text == "*") return true;
        if (!UrlParts.TryParse(text, out UrlParts url) || url.Scheme is not ("http" or "https")
            || url.User is not null || url.Host.Length == 0 || url.Port == 0 || url.Path.Length > 0 || url.Query is not null) return false;
        string host = url.Host.Contains(':', StringComparison.Ordinal) ? $"[{url.Host}]" : url.Host;
        bool isDefaultPort = url.Port is null || url.Port == (url.Scheme == "https" ? 443 : 80);
        value = isDefaultPort ? $"{url.Scheme}://{host}" : $"{url.Scheme}://{host}:{url.Port}";
        return true;
    }

    private static OptionParser<FrozenDictionary<string, string>> MakeAliases()
    {
        OptionParser<ImmutableArray<KeyValuePair<string, string>>> list = List<KeyValuePair<string, string>>(
            "NAME=MODEL pairs separated by commas, each name once",
            static (string text, out KeyValuePair<string, string> pair) =>
            {
                int equals = text.IndexOf('=', StringComparison.Ordinal);
                pair = equals < 0 ? default : new(text[..equals].TrimEnd(), text[(equals + 1)..].TrimStart());
                return equals > 0 && pair.Key.Length > 0 && pair.Value.Length > 0 && !text.Any(char.IsControl);
            });
        return new(list.Accepts, (string text, out FrozenDictionary<string, string> value) =>
        {
            value = FrozenDictionary<string, string>.Empty;
            if (!list.TryParse(text, out ImmutableArray<KeyValuePair<string, string>> pairs)) return false;
            var aliases = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (KeyValuePair<string, string> pair in pairs)
            {
                if (!aliases.TryAdd(pair.Key, pair.Value)) return false;
            }
            value = aliases.ToFrozenDictionary(StringComparer.Ordinal);
            return true;
        });
    }
}
