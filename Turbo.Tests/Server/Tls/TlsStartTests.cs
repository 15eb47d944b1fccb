using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Tls;

/// <summary>Starts that fail for the certificate: one line on stderr, exit code 2 (contract section 1).</summary>
[TestFixture]
[Category(TurboProcess.Category)]
internal sealed class TlsStartTests
{
    [TestCase("no key", "TLS_KEY=\"\": expected the path of the key of TLS_CERT, since that is set")]
    [TestCase("no certificate", "TLS_CERT=\"\": expected the path of the certificate of TLS_KEY, since that is set")]
    [TestCase("not there", "TLS_CERT=\"nowhere.pem\": expected the path of a readable PEM file")]
    [TestCase("encrypted", "TLS_KEY=\"key.pem\": expected an unencrypted PEM private key: this one has a passphrase")]
    [TestCase("another's", "TLS_CERT=\"cert.pem\": expected a PEM certificate that fits the private key in key.pem")]
    [TestCase("half", "TLS_CERT=\"cert.pem\": expected PEM certificates, the first one the server's, RSA or EC")]
    public async Task A_bad_pair_is_one_line_and_exit_code_2(string how, string line)
    {
        using TempFolder folder = new();
        (string certificate, string key) = TestCertificates.Shared.Make();
        if (how == "encrypted") key = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";
        if (how == "another's") key = TestCertificates.Shared.Make().Key;
        if (how == "half") certificate = certificate[..100];
        await File.WriteAllTextAsync(folder.File("cert.pem"), certificate);
        await File.WriteAllTextAsync(folder.File("key.pem"), key);
        Dictionary<string, string> environment = new()
        {
            ["ADDRESS"] = "127.0.0.1:0",
            ["TLS_CERT"] = how switch { "no certificate" => "", "not there" => "nowhere.pem", _ => "cert.pem" },
            ["TLS_KEY"] = how == "no key" ? "" : "key.pem",
        };
        using TurboProcess turbo = TurboProcess.Start(folder.Path, environment, "serve", "--mock");
        Assert.That(await turbo.ExitAsync(), Is.EqualTo(2));
        Assert.That(turbo.Error, Is.EqualTo($"turbo: {line}\n"));
        Assert.That(turbo.Out, Is.Empty);
        Assert.That(File.Exists(folder.File("turbo.db")), Is.False);
    }
}
