using System.Buffers;
using System.Security.Cryptography;
using System.Text;

namespace Turbo.Server.Auth;

/// <summary>What a client presents and what the <c>sessions</c> table keeps of it.</summary>
internal static class SessionTokens
{
    /// <summary>How long a session lasts.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromDays(365);

    /// <summary>The longest token that is looked up, in bytes; ours have 44, the Go program's 48.</summary>
    public const int MaxBytes = 256;

    private const int RandomBytes = 32;

    // A base64 token has visible characters only; anything else was never issued.
    private static readonly SearchValues<byte> s_visible =
        SearchValues.Create(Enumerable.Range(0x21, 0x7e - 0x21 + 1).Select(value => (byte)value).ToArray());

    /// <summary>A new token: 256 random bits, base64.</summary>
    public static string Create()
    {
        Span<byte> random = stackalloc byte[RandomBytes];
        RandomNumberGenerator.Fill(random);
        return Convert.ToBase64String(random);
    }

    /// <summary>The column <c>token</c> of a session of ours: a reader of the table cannot log in with it.</summary>
    public static string Stored(ReadOnlySpan<byte> token)
    {
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(token, digest);
        return "sha256:" + Convert.ToHexStringLower(digest);
    }

    public static string Stored(string token) => Stored(Encoding.UTF8.GetBytes(token));

    /// <summary>
    /// Whether a presented token may be looked up. One that has the form of the column never is: who has read the
    /// table would otherwise present what it holds.
    /// </summary>
    public static bool MayExist(ReadOnlySpan<byte> token) =>
        token.Length is > 0 and <= MaxBytes && !token.StartsWith("sha256:"u8) && !token.ContainsAnyExcept(s_visible);
}
