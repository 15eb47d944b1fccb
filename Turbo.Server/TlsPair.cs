using Turbo.Net.Tls;

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
            CertificateFiles.Open(certFile, keyFile).Dispose();
            return null;
        }
        catch (InvalidCertificateException e)
        {
            return Line(e);
        }
    }

    /// <summary>The line for files that cannot be served with.</summary>
    public static string Line(InvalidCertificateException e) =>
        Line(e.IsKey ? "TLS_KEY" : "TLS_CERT", e.File, "expected " + OptionMask.Printable(e.Expected));

    private static string Line(string name, string value, string reason) =>
        OptionRow.ErrorLine(name, OptionMask.Printable(value), reason);
}
