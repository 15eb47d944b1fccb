using System.Text;

namespace Turbo.Server.Metrics;

/// <summary>The names of an enum's values as label values: <c>PeerClosed</c> is <c>peer_closed</c>.</summary>
internal static class EnumLabels<T> where T : struct, Enum
{
    /// <summary>In the order of their numbers, which begin at 0 and have no gaps.</summary>
    public static readonly byte[][] All = [.. Enum.GetNames<T>().Select(static name => Encoding.ASCII.GetBytes(Snake(name)))];

    private static string Snake(string name) =>
        string.Concat(name.Select(static (c, i) => char.IsUpper(c) ? (i > 0 ? "_" : "") + char.ToLowerInvariant(c) : c.ToString()));
}
