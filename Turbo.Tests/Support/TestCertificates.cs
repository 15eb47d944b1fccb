using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Turbo.Tests.Support;

/// <summary>A root of the tests' own, and certificates below it for localhost, as PEM.</summary>
internal sealed class TestCertificates
{
    private static readonly Lazy<TestCertificates> s_shared = new(static () => new TestCertificates());

    private readonly X509Certificate2 _root;
    private readonly X509Certificate2 _intermediate;
    private int _serial;

    public TestCertificates()
    {
        using ECDsa rootKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest root = new("CN=Turbo's tests", rootKey, HashAlgorithmName.SHA256);
        root.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        _root = root.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(30));
        using ECDsa middleKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest middle = new("CN=Turbo's tests in between", middleKey, HashAlgorithmName.SHA256);
        middle.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, true, 0, true));
        using X509Certificate2 signed = middle.Create(_root, _root.NotBefore, _root.NotAfter, NextSerial());
        _intermediate = signed.CopyWithPrivateKey(middleKey);
    }

    public static TestCertificates Shared => s_shared.Value;

    /// <summary>For the server of a test that is not about certificates.</summary>
    public static SslStreamCertificateContext SharedServer { get; } = MakeShared();

    /// <summary>The same, as files for <c>TLS_CERT</c> and <c>TLS_KEY</c>.</summary>
    public static (string Certificate, string Key) SharedFiles { get; } = WriteShared();

    public string RootPem => _root.ExportCertificatePem();

    public string IntermediatePem => _intermediate.ExportCertificatePem();

    public X509Certificate2 Root => _root;

    /// <summary>A certificate and its key, each in PEM.</summary>
    /// <param name="isRsa">RSA 2048, else EC P-256.</param>
    /// <param name="isBelowRoot">Whether the root signs it, else the intermediate certificate.</param>
    /// <param name="name">What it is for, beside 127.0.0.1.</param>
    /// <param name="end">When it expires; null is like the root.</param>
    public (string Certificate, string Key) Make(bool isRsa = false, bool isBelowRoot = true, string name = "localhost", DateTimeOffset? end = null)
    {
        X509Certificate2 issuer = isBelowRoot ? _root : _intermediate;
        if (isRsa)
        {
            using RSA key = RSA.Create(2048);
            return (Sign(new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)), key.ExportPkcs8PrivateKeyPem());
        }
        using ECDsa ec = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return (Sign(new CertificateRequest($"CN={name}", ec, HashAlgorithmName.SHA256)), ec.ExportPkcs8PrivateKeyPem());

        string Sign(CertificateRequest request)
        {
            SubjectAlternativeNameBuilder names = new();
            names.AddDnsName(name);
            names.AddIpAddress(IPAddress.Loopback);
            request.CertificateExtensions.Add(names.Build());
            using X509Certificate2 made = request.Create(
                issuer.SubjectName, X509SignatureGenerator.CreateForECDsa(issuer.GetECDsaPrivateKey()!), _root.NotBefore, end ?? _root.NotAfter, NextSerial());
            return made.ExportCertificatePem();
        }
    }

    /// <summary>A client that trusts the root alone and is told of no other certificate.</summary>
    public SslClientAuthenticationOptions Client(string name = "localhost") => new()
    {
        TargetHost = name,
        CertificateChainPolicy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            CustomTrustStore = { _root },
            RevocationMode = X509RevocationMode.NoCheck,
            DisableCertificateDownloads = true,
        },
    };

    private static (string Certificate, string Key) WriteShared()
    {
        (string certificate, string key) = Shared.Make();
        string folder = Path.Combine(AppContext.BaseDirectory, "certificates");
        Directory.CreateDirectory(folder);
        (string Certificate, string Key) files = (Path.Combine(folder, $"{Environment.ProcessId}.cert.pem"), Path.Combine(folder, $"{Environment.ProcessId}.key.pem"));
        File.WriteAllText(files.Certificate, certificate);
        File.WriteAllText(files.Key, key);
        return files;
    }

    private static SslStreamCertificateContext MakeShared()
    {
        (string certificate, string key) = Shared.Make();
        return SslStreamCertificateContext.Create(X509Certificate2.CreateFromPem(certificate, key), null, offline: true);
    }

    private byte[] NextSerial() => [1, (byte)(Interlocked.Increment(ref _serial) >> 8), (byte)_serial];
}
