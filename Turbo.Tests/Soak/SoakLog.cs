using System.Text;

namespace Turbo.Tests.Soak;

/// <summary>Takes the application's log as JSON lines and counts them: requests by status, and what is no request's.</summary>
internal sealed class SoakLog : Stream
{
    private readonly List<byte> _line = [];
    private long _requests;

    /// <summary>Lines of requests.</summary>
    public long Requests => Volatile.Read(ref _requests);

    /// <summary>
    /// Other lines at warn and error: what an operator should have been spared. Not those of upstream connections that were
    /// reset as they were made: the faults do that, and the sheet compares how often.
    /// </summary>
    public List<string> Complaints { get; } = [];

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        foreach (byte b in buffer)
        {
            if (b != '\n')
            {
                _line.Add(b);
                continue;
            }
            Take(Encoding.UTF8.GetString([.. _line]));
            _line.Clear();
        }
    }

    private void Take(string line)
    {
        if (line.Contains("\"method\":", StringComparison.Ordinal)) Interlocked.Increment(ref _requests);
        else if ((line.Contains("\"level\":\"warn\"", StringComparison.Ordinal) || line.Contains("\"level\":\"error\"", StringComparison.Ordinal)) && !TellsOfReset(line)) Complaints.Add(line);
    }

    private static bool TellsOfReset(string line) =>
        line.Contains("no connection to the upstream", StringComparison.Ordinal) && line.Contains("Connection reset by peer", StringComparison.Ordinal);

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override void Flush()
    {
        // Each line is counted as it comes.
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}
