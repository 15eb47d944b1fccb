using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Turbo.Server;

/// <summary>The certificate and key of <c>TLS_CERT</c> and <c>TLS_KEY</c>: both or neither, and fitting each other.</summary>
internal static class TlsPair
{
    /// <summary>The error line, or null when the pair is absent or good.</summary>
    public static string? Check(string certFile, string keyFile)
    {
        if (certFile.Length == 0 && keyFile.Length == 0) return null;
        if (keyFile.Length == 0) return Line("TLS_KEY", keyFile, "expected the path of the key of TLS_CERT, since that is set");
        if (certFile.Length == 0) return Line("TLS_CERT", certFile, "expected the path of the certificate of TLS_KEY, since that is set");
        try
        {
            using X509Certificate2 certificate = X509Certificate2.CreateFromPemFile(certFile, keyFile);
            return null;
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException or IOException or UnauthorizedAccessException)
        {
            return Line("TLS_CERT", certFile, "expected a PEM certificate that fits the unencrypted PEM key of TLS_KEY");
        }
    }

    private static string Line(string name, string value, string reason) =>
        OptionRow.ErrorLine(name, OptionMask.Printable(value), reason);
}
