using System.Runtime.InteropServices;

namespace Turbo.Server.Auth;

/// <summary>
/// Tokens as dictionary keys, looked up by a span of received bytes. The hash is the runtime's string hash, keyed
/// anew in every process, so that nobody can choose tokens that collide. For the same reason comparing needs no
/// constant time: the dictionary compares only where all bits of that hash agree, which a guess cannot bring about.
/// </summary>
internal sealed class TokenComparer : IEqualityComparer<byte[]>, IAlternateEqualityComparer<ReadOnlySpan<byte>, byte[]>
{
    public static readonly TokenComparer Instance = new();

    public bool Equals(byte[]? x, byte[]? y) => x is null || y is null ? x == y : Equals(x.AsSpan(), y);

    public int GetHashCode(byte[] token) => GetHashCode(token.AsSpan());

    public bool Equals(ReadOnlySpan<byte> presented, byte[] token) => presented.SequenceEqual(token);

    public int GetHashCode(ReadOnlySpan<byte> token)
    {
        int hash = string.GetHashCode(MemoryMarshal.Cast<byte, char>(token));
        return (token.Length & 1) == 0 ? hash : hash * 31 + token[^1];
    }

    public byte[] Create(ReadOnlySpan<byte> token) => token.ToArray();
}
