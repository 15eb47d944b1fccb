using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Turbo.Net;
using Turbo.Net.Diagnostics;
using Turbo.Net.Tls;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net.Tls;

/// <summary>Certificates in files: what is taken, what is refused and why, and what happens when they change.</summary>
[TestFixture]
internal sealed class CertificateFilesTests
{
    private const string Get = "GET /plaintext HTTP/1.1\r\nHost: localhost\r\n\r\n";
    private const string Ed25519 =
        "-----BEGIN CERTIFICATE-----\nMIIBPDCB76ADAgECAhR5vsg5WHG0XCraXDbG21ySK9qExzAFBgMrZXAwFDESMBAG\nA1UEAwwJbG9jYWxob3N0MB4XDTI2MTEyMzIyMTUwNFoXDTM2MTEyMDIyMTUwNFow\nFDESMBAGA1UEAwwJbG9jYWxob3N0MCowBQYDK2VwAyEA/lU6Ug5v0pvaglOzNETb\nml29oILpYWg9DqleR91q81mjUzBRMB0GA1UdDgQWBBT1t4mmqXiU2GA/PW7b490U\nFfxwoTAfBgNVHSMEGDAWgBT1t4mmqXiU2GA/PW7b490UFfxwoTAPBgNVHRMBAf8E\nBTADAQH/MAUGAytlcANBACrQEJNU0xq8bBLywR8g9uUQ9M42KTihX8FRWJzFsmSo\nNG4c+xz8bwMrNeT452Q6XbPT/sZ/l/2r9ECKD0vsywA=\n-----END CERTIFICATE-----\n";
    private const string Unfit = "a PEM certificate that fits the private key in ";

    private readonly ManualTimeProvider _time = new(DateTimeOffset.UtcNow);
    private readonly TestCertificates _authority = TestCertificates.Shared;
    private TempFolder _folder = null!;
    private Recorder _log = null!;
    private string _certFile = "", _keyFile = "";

    private sealed class Recorder : IServerLog
    {
        public readonly List<string> Told = [];

        public void CertificateChanged(string file, DateTimeOffset notAfter) => Told.Add("changed");

        public void CertificateRefused(InvalidCertificateException error) => Told.Add($"refused: {error.Expected}");

        public void CertificateExpired(string file, DateTimeOffset notAfter) => Told.Add("expired");
    }

    [SetUp]
    public void MakeFolder()
    {
        _folder = new TempFolder();
        _log = new Recorder();
        _certFile = _folder.File("cert.pem");
        _keyFile = _folder.File("key.pem");
    }

    [TearDown]
    public void RemoveFolder() => _folder.Dispose();

    private void Write(string certificate, string key)
    {
        File.WriteAllText(_certFile, certificate);
        File.WriteAllText(_keyFile, key);
    }

    private (string Certificate, string Key) WriteNew(bool isRsa = false)
    {
        (string Certificate, string Key) made = _authority.Make(isRsa);
        Write(made.Certificate, made.Key);
        return made;
    }

    private CertificateFiles Open() => CertificateFiles.Open(_certFile, _keyFile, _time, _log);

    private void Look() => _time.Advance(CertificateFiles.Interval);

    private static string Pem(CertificateFiles files) => files.Current.TargetCertificate.ExportCertificatePem();

    private (bool IsKey, string Expected) Refusal()
    {
        InvalidCertificateException e = Assert.Throws<InvalidCertificateException>(() => Open().Dispose())!;
        Assert.That(e.File, Is.EqualTo(e.IsKey ? _keyFile : _certFile));
        return (e.IsKey, e.Expected);
    }

    // ---- what is taken

    [Test]
    public async Task Keys_of_every_spelling_serve()
    {
        using RSA rsa = RSA.Create(2048);
        using ECDsa p384 = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        (AsymmetricAlgorithm Key, string Pem)[] keys =
        [
            (rsa, rsa.ExportPkcs8PrivateKeyPem()), (rsa, rsa.ExportRSAPrivateKeyPem()),
            (p384, p384.ExportPkcs8PrivateKeyPem()), (p384, p384.ExportECPrivateKeyPem()),
            // As `openssl ecparam -genkey` writes it, and with text around.
            (p384, "-----BEGIN EC PARAMETERS-----\nBgUrgQQAIg==\n-----END EC PARAMETERS-----\n" + p384.ExportECPrivateKeyPem()), (rsa, "Bag Attributes\n" + rsa.ExportPkcs8PrivateKeyPem() + "\n\n"),
        ];
        foreach ((AsymmetricAlgorithm key, string pem) in keys)
        {
            CertificateRequest request = key is RSA ? new("CN=localhost", rsa, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1) : new("CN=localhost", p384, HashAlgorithmName.SHA384);
            using X509Certificate2 made = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
            Write(made.ExportCertificatePem(), pem);
            using CertificateFiles files = Open();
            await using NetServer server = Serve(files);
            using RawClient client = new(server.EndPoint, tls: new SslClientAuthenticationOptions { TargetHost = "localhost", RemoteCertificateValidationCallback = static (_, _, _, _) => true });
            Assert.That(client.Exchange(Get).Status, Is.EqualTo(200), pem[..30]);
        }
    }

    /// <summary>A client that knows only the root is sent what leads there; what does not belong is not sent.</summary>
    [TestCase(true)]
    [TestCase(false)]
    public async Task The_chain_of_the_file_is_sent(bool isWhole)
    {
        (string certificate, string key) = _authority.Make(isBelowRoot: false);
        (string stranger, _) = _authority.Make(name: "stranger.test");
        Write(isWhole ? certificate + "\n" + _authority.IntermediatePem + "\n" + stranger : certificate, key);
        using CertificateFiles files = Open();
        await using NetServer server = Serve(files);
        SslClientAuthenticationOptions options = _authority.Client();
        int sent = -1;
        X509ChainPolicy policy = options.CertificateChainPolicy!;
        options.CertificateChainPolicy = null;
        options.RemoteCertificateValidationCallback = (_, _, chain, _) =>
        {
            sent = chain!.ChainPolicy.ExtraStore.Count;
            policy.ExtraStore.AddRange(chain.ChainPolicy.ExtraStore);
            using X509Chain judge = new() { ChainPolicy = policy };
            return judge.Build(X509CertificateLoader.LoadCertificate(chain.ChainElements[0].Certificate.RawData)) == isWhole;
        };
        using RawClient client = new(server.EndPoint, tls: options);
        Assert.That(client.Exchange(Get).Status, Is.EqualTo(200));
        Assert.That(sent, Is.LessThanOrEqualTo(isWhole ? 2 : 1));
        Assert.That(files.Current.IntermediateCertificates.Count, Is.EqualTo(isWhole ? 1 : 0));
    }

    [Test]
    public void One_file_may_hold_both()
    {
        (string certificate, string key) = _authority.Make();
        _keyFile = _certFile;
        File.WriteAllText(_certFile, key + "\n" + certificate);
        using CertificateFiles files = Open();
        Assert.That(Pem(files), Is.EqualTo(certificate));
    }

    // ---- what is refused

    [Test]
    public void An_encrypted_key_is_named_as_such()
    {
        using RSA rsa = RSA.Create(2048);
        string pkcs8 = rsa.ExportEncryptedPkcs8PrivateKeyPem("secret", new PbeParameters(PbeEncryptionAlgorithm.Aes128Cbc, HashAlgorithmName.SHA256, 1000));
        (string certificate, _) = _authority.Make();
        foreach (string key in new[] { pkcs8, "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n" })
        {
            Write(certificate, key);
            Assert.That(Refusal(), Is.EqualTo((true, "an unencrypted PEM private key: this one has a passphrase")));
        }
    }

    [Test]
    public void What_is_no_pair_is_refused()
    {
        const string noCertificate = "PEM certificates, the first one the server's, RSA or EC";
        const string noKey = "an unencrypted PEM private key, RSA or EC";
        (string certificate, string key) = _authority.Make();
        (string other, string otherKey) = _authority.Make();
        (string rsa, _) = _authority.Make(isRsa: true);
        Assert.Multiple(() =>
        {
            Check("", key, false, noCertificate);
            Check(key, key, false, noCertificate);
            Check("not PEM at all", key, false, noCertificate);
            Check(certificate[..^30], key, false, noCertificate);
            Check(certificate + certificate[..100], key, false, noCertificate);
            Check(certificate.Replace("MII", "MIX", StringComparison.Ordinal), key, false, noCertificate);
            Check(certificate, "", true, noKey);
            Check(certificate, certificate, true, noKey);
            Check(certificate, key[..^30], true, noKey);
            Check(certificate, otherKey, false, Unfit + _keyFile);
            Check(rsa, key, false, Unfit + _keyFile);
            Check(other + "\n" + certificate, key, false, Unfit + _keyFile);
            // Ed25519, which .NET does not serve with.
            Check(Ed25519, key, false, noCertificate);
            Check(new string('x', (1 << 20) + 1), key, false, "a PEM file of at most 1 MiB");
        });

        void Check(string certificateText, string keyText, bool isKey, string expected)
        {
            Write(certificateText, keyText);
            Assert.That(Refusal(), Is.EqualTo((isKey, expected)));
        }
    }

    [Test]
    public void A_file_that_is_not_there_is_refused()
    {
        (string certificate, _) = _authority.Make();
        Assert.That(Refusal(), Is.EqualTo((false, "the path of a readable PEM file")));
        File.WriteAllText(_certFile, certificate);
        Assert.That(Refusal(), Is.EqualTo((true, "the path of a readable PEM file")));
        _keyFile = _folder.Path;
        Assert.That(Refusal(), Is.EqualTo((true, "the path of a readable PEM file")));
    }

    // ---- changes

    [Test]
    public async Task A_change_is_served_to_new_connections_and_old_ones_go_on()
    {
        (string first, _) = WriteNew();
        using CertificateFiles files = Open();
        await using NetServer server = Serve(files);
        using RawClient before = new(server.EndPoint, tls: _authority.Client());
        Assert.That(before.Exchange(Get).Status, Is.EqualTo(200));
        Assert.That(Shown(before), Is.EqualTo(first));

        (string second, _) = WriteNew(isRsa: true);
        Look();
        using RawClient after = new(server.EndPoint, tls: _authority.Client());
        Assert.That(Shown(after), Is.EqualTo(second));
        Assert.That(after.Exchange(Get).Status + before.Exchange(Get).Status, Is.EqualTo(400));
        Assert.That(_log.Told, Is.EqualTo(new[] { "changed" }));

        static string Shown(RawClient client) => new X509Certificate2(client.Tls!.RemoteCertificate!).ExportCertificatePem();
    }

    /// <summary>As certbot and Kubernetes do: the path is a link, and the link is what changes.</summary>
    [Test]
    public void A_link_that_turns_elsewhere_is_a_change()
    {
        WriteNew();
        string certificates = _certFile, keys = _keyFile;
        _certFile = _folder.File("live-cert.pem");
        _keyFile = _folder.File("live-key.pem");
        File.CreateSymbolicLink(_certFile, certificates);
        File.CreateSymbolicLink(_keyFile, keys);
        using CertificateFiles files = Open();
        (string next, string nextKey) = _authority.Make();
        File.WriteAllText(certificates + ".2", next);
        File.WriteAllText(keys + ".2", nextKey);
        foreach ((string link, string target) in new[] { (_certFile, certificates + ".2"), (_keyFile, keys + ".2") })
        {
            File.CreateSymbolicLink(link + ".new", target);
            File.Move(link + ".new", link, overwrite: true);
        }
        Look();
        Assert.That(Pem(files), Is.EqualTo(next));
    }

    [Test]
    public void Files_that_stay_the_same_are_not_read_anew()
    {
        (string certificate, string key) = WriteNew();
        using CertificateFiles files = Open();
        SslStreamCertificateContext first = files.Current;
        Write(certificate, key);
        for (int i = 0; i < 10; i++) Look();
        Assert.That(files.Current, Is.SameAs(first), "the tickets that clients hold stay good");
        Assert.That(_log.Told, Is.Empty);
    }

    [Test]
    public void A_change_that_is_not_complete_yet_is_passed_over_in_silence()
    {
        (string first, _) = WriteNew();
        using CertificateFiles files = Open();
        (string second, string secondKey) = _authority.Make();
        File.WriteAllText(_certFile, second);
        Look();
        Assert.That(Pem(files), Is.EqualTo(first));
        File.WriteAllText(_keyFile, secondKey);
        Look();
        Assert.That(Pem(files), Is.EqualTo(second));
        Assert.That(_log.Told, Is.EqualTo(new[] { "changed" }));
    }

    [Test]
    public void Files_that_stay_bad_are_told_of_each_minute_until_they_are_good([Values("half", "empty", "gone", "unfit")] string how)
    {
        (string first, _) = WriteNew();
        using CertificateFiles files = Open();
        (string second, string secondKey) = _authority.Make();
        switch (how)
        {
            case "half": File.WriteAllText(_certFile, second[..^10]); break;
            case "empty": File.WriteAllText(_certFile, ""); break;
            case "gone": File.Delete(_keyFile); break;
            default: File.WriteAllText(_certFile, second); break;
        }
        Look();
        Assert.That(_log.Told, Is.Empty, "it may be about to change");
        Look();
        Assert.That(_log.Told, Has.Count.EqualTo(1).And.All.StartsWith("refused: "));
        _time.Advance(TimeSpan.FromMinutes(3));
        Assert.That(_log.Told, Has.Count.InRange(3, 4).And.All.StartsWith("refused: "));
        Assert.That(Pem(files), Is.EqualTo(first));
        _log.Told.Clear();
        Write(second, secondKey);
        Look();
        Assert.That(Pem(files), Is.EqualTo(second));
        _time.Advance(TimeSpan.FromMinutes(3));
        Assert.That(_log.Told, Is.EqualTo(new[] { "changed" }));
    }

    [Test]
    public void A_certificate_that_expires_is_told_of_once()
    {
        (string certificate, string key) = _authority.Make(end: _time.GetUtcNow().AddHours(1));
        Write(certificate, key);
        using CertificateFiles files = Open();
        _time.Advance(TimeSpan.FromMinutes(59));
        Assert.That(_log.Told, Is.Empty);
        _time.Advance(TimeSpan.FromDays(1));
        Assert.That(_log.Told, Is.EqualTo(new[] { "expired" }));
        using CertificateFiles again = Open();
        Assert.That(_log.Told, Is.EqualTo(new[] { "expired", "expired" }), "at a start as well");
    }

    private static NetServer Serve(CertificateFiles files) =>
        new(isTls: true, with: o => o with { Tls = new TlsOptions { SelectCertificate = _ => files.Current } });
}
