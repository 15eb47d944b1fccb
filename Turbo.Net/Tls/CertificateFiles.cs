using System.Net.Security;
using System.Security.Cryptography;
using Turbo.Net.Diagnostics;

namespace Turbo.Net.Tls;

/// <summary>
/// A certificate and its key in PEM files, looked at every few seconds and taken anew when either changes, by whatever
/// means. Files that do not fit each other, or are half written, are passed over: the last good ones serve on.
/// Connections are not touched; a handshake takes what is current.
/// <code>
/// using CertificateFiles files = CertificateFiles.Open("cert.pem", "key.pem");
/// TurboServerOptions options = new() { TlsEndPoints = [new(IPAddress.Any, 8443)], Tls = new() { SelectCertificate = _ => files.Current } };
/// </code>
/// </summary>
public sealed class CertificateFiles : IDisposable
{
    /// <summary>Between two looks at the files: 5 s.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    /// <summary>Between two reports that the files cannot be used: 1 min.</summary>
    public static readonly TimeSpan ReportInterval = TimeSpan.FromMinutes(1);

    private const int MaxFileBytes = 1024 * 1024;

    private readonly string _certificateFile;
    private readonly string _keyFile;
    private readonly TimeProvider _time;
    private readonly IServerLog _log;
    private readonly ITimer _timer;
    private volatile SslStreamCertificateContext _current;
    private byte[] _hash = [];
    private int _badLooks;
    private long _reportedAt;
    private bool _isExpiryTold;
    private int _isLooking;

    private CertificateFiles(string certificateFile, string keyFile, TimeProvider time, IServerLog log)
    {
        _certificateFile = certificateFile;
        _keyFile = keyFile;
        _time = time;
        _log = log;
        _current = ReadChanged()!;
        TellExpiry();
        _timer = time.CreateTimer(static state => ((CertificateFiles)state!).Look(), this, Interval, Interval);
    }

    /// <summary>The certificate that handshakes are to use now, with its chain.</summary>
    public SslStreamCertificateContext Current => _current;

    /// <summary>Reads both files, and looks after them until disposed. Throws <see cref="InvalidCertificateException"/>.</summary>
    /// <param name="certificateFile">PEM: the server's certificate, RSA or EC, then the rest of its chain. At most 1 MiB.</param>
    /// <param name="keyFile">PEM: its private key, unencrypted; may be the same file.</param>
    /// <param name="time">The clock; null is the system's.</param>
    /// <param name="log">Told of changes, of files that cannot be used, and of expiry; null is silent.</param>
    public static CertificateFiles Open(string certificateFile, string keyFile, TimeProvider? time = null, IServerLog? log = null) =>
        new(certificateFile, keyFile, time ?? TimeProvider.System, log ?? SilentLog.Instance);

    /// <summary>Looks no more; <see cref="Current"/> stays.</summary>
    public void Dispose() => _timer.Dispose();

    private void Look()
    {
        if (Interlocked.Exchange(ref _isLooking, 1) != 0) return;
        try
        {
            if (ReadChanged() is { } changed)
            {
                _current = changed;
                _isExpiryTold = false;
                _log.CertificateChanged(_certificateFile, changed.TargetCertificate.NotAfter);
            }
            _badLooks = 0;
        }
        catch (InvalidCertificateException e)
        {
            TellBad(e);
        }
        finally
        {
            TellExpiry();
            Volatile.Write(ref _isLooking, 0);
        }
    }

    // A look in the midst of a change is no news: the next one sees it whole.
    private void TellBad(InvalidCertificateException e)
    {
        if (++_badLooks < 2 || (_badLooks > 2 && _time.GetElapsedTime(_reportedAt) < ReportInterval)) return;
        _reportedAt = _time.GetTimestamp();
        _log.CertificateRefused(e);
    }

    private void TellExpiry()
    {
        DateTimeOffset notAfter = _current.TargetCertificate.NotAfter;
        if (_isExpiryTold || _time.GetUtcNow() <= notAfter) return;
        _isExpiryTold = true;
        _log.CertificateExpired(_certificateFile, notAfter);
    }

    // Null: as before.
    private SslStreamCertificateContext? ReadChanged()
    {
        byte[] certificate = ReadFile(_certificateFile, isKey: false);
        byte[] key = ReadFile(_keyFile, isKey: true);
        try
        {
            byte[] hash = [.. SHA256.HashData(certificate), .. SHA256.HashData(key)];
            if (hash.AsSpan().SequenceEqual(_hash)) return null;
            SslStreamCertificateContext read = CertificatePem.Read(_certificateFile, certificate, _keyFile, key);
            _hash = hash;
            return read;
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
        }
    }

    private static byte[] ReadFile(string path, bool isKey)
    {
        try
        {
            using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
            if (file.Length > MaxFileBytes) throw new InvalidCertificateException(path, isKey, "a PEM file of at most 1 MiB");
            byte[] bytes = new byte[file.Length];
            file.ReadExactly(bytes);
            return bytes;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new InvalidCertificateException(path, isKey, "the path of a readable PEM file", e);
        }
    }
}
