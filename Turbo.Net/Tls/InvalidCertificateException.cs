namespace Turbo.Net.Tls;

/// <summary>Certificate and key files that cannot be served with.</summary>
public sealed class InvalidCertificateException : Exception
{
    internal InvalidCertificateException(string file, bool isKey, string expected, Exception? inner = null)
        : base($"{file}: expected {expected}", inner)
    {
        File = file;
        IsKey = isKey;
        Expected = expected;
    }

    /// <summary>The path of the file at fault.</summary>
    public string File { get; }

    /// <summary>Whether that is the private key's file, not the certificate's.</summary>
    public bool IsKey { get; }

    /// <summary>What it should hold, such as <c>an unencrypted PEM private key</c>.</summary>
    public string Expected { get; }
}
