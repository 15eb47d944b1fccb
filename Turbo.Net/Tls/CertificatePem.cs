using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Turbo.Net.Tls;

/// <summary>PEM texts → a certificate that a server can serve with, its chain included.</summary>
internal static class CertificatePem
{
    private const string Begin = "-----BEGIN CERTIFICATE-----";
    private const string RsaKey = "1.2.840.113549.1.1.1";
    private const string EcKey = "1.2.840.10045.2.1";

    /// <summary>
    /// The first certificate is the server's; the others of the file that lead from it towards a root are sent with it.
    /// Throws <see cref="InvalidCertificateException"/>.
    /// </summary>
    public static SslStreamCertificateContext Read(string certificateFile, ReadOnlySpan<byte> certificate, string keyFile, ReadOnlySpan<byte> key)
    {
        X509Certificate2Collection chain = ReadChain(certificateFile, certificate);
        char[] keyText = new char[Encoding.UTF8.GetMaxCharCount(key.Length)];
        try
        {
            ReadOnlySpan<char> text = keyText.AsSpan(0, Encoding.UTF8.GetChars(key, keyText));
            if (!HasKey(text, out bool isEncrypted))
                throw new InvalidCertificateException(keyFile, isKey: true, isEncrypted ? "an unencrypted PEM private key: this one has a passphrase" : "an unencrypted PEM private key, RSA or EC");
            using X509Certificate2 first = chain[0];
            // Nothing is fetched: what clients need to find the root is in the file.
            return SslStreamCertificateContext.Create(X509Certificate2.CreateFromPem(first.ExportCertificatePem(), text), chain, offline: true);
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw new InvalidCertificateException(certificateFile, isKey: false, $"a PEM certificate that fits the private key in {keyFile}", e);
        }
        finally
        {
            Array.Clear(keyText);
        }
    }

    private static X509Certificate2Collection ReadChain(string file, ReadOnlySpan<byte> pem)
    {
        X509Certificate2Collection chain = [];
        try
        {
            string text = Encoding.UTF8.GetString(pem);
            chain.ImportFromPem(text);
            // A block that is not whole would be passed over in silence: a file that is still being written.
            if (chain.Count > 0 && chain.Count == text.AsSpan().Count(Begin) && chain[0].GetKeyAlgorithm() is RsaKey or EcKey) return chain;
        }
        catch (CryptographicException e)
        {
            throw new InvalidCertificateException(file, isKey: false, Expected, e);
        }
        throw new InvalidCertificateException(file, isKey: false, Expected);
    }

    private const string Expected = "PEM certificates, the first one the server's, RSA or EC";

    private static bool HasKey(ReadOnlySpan<char> text, out bool isEncrypted)
    {
        isEncrypted = text.Contains("ENCRYPTED", StringComparison.Ordinal);
        while (PemEncoding.TryFind(text, out PemFields fields))
        {
            if (text[fields.Label] is "PRIVATE KEY" or "RSA PRIVATE KEY" or "EC PRIVATE KEY") return true;
            text = text[fields.Location.End..];
        }
        return false;
    }
}
