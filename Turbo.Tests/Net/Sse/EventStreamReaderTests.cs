using System.Buffers;
using System.Text;
using Turbo.Net.Sse;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net.Sse;

/// <summary>WHATWG HTML §9.2.6: what the bytes of a stream say, however they are cut.</summary>
[TestFixture]
internal sealed class EventStreamReaderTests
{
    // Each event as [type|]data, with LF shown as /.
    [TestCase("data: a\n\n", "a")]
    [TestCase("data:a\n\ndata:b\n\n", "a", "b")]
    [TestCase("data: a\r\n\r\ndata: b\r\n\r\n", "a", "b")]
    [TestCase("data: a\r\rdata: b\r\r", "a", "b")]
    [TestCase("data: a\n\r\ndata: b\r\n\n", "a", "b")]
    [TestCase("data: a\ndata: b\ndata\ndata:\n\n", "a/b//")]
    [TestCase("data:  a \n\n", " a ")]
    [TestCase("data\n\n", "")]
    [TestCase("data:\n\n", "")]
    [TestCase("data\ndata\n\n", "/")]
    [TestCase("event: add\ndata: 1\n\ndata: 2\n\n", "add|1", "2")]
    [TestCase("event: add\n\ndata: 2\n\n", "2")]
    [TestCase(": comment\n\n:\n\ndata: a\n: b\n\n", "a")]
    [TestCase("datum: x\ndata : y\nDATA: z\ndata: a\n\n", "a")]
    [TestCase("\n\n\r\n\rdata: a\n\n", "a")]
    [TestCase("\xef\xbb\xbf" + "data: a\n\n", "a")]
    [TestCase("\xef\xbb\xbf\n" + "data: a\n\n", "a")]
    [TestCase("\n\xef\xbb\xbf" + "data: a\n\n")]
    [TestCase("data: {\"a\":\": b\"}\n\n", "{\"a\":\": b\"}")]
    [TestCase("data: \xe2\x98\x83\n\n", "☃")]
    [TestCase("data: a\r\ndata: b\rdata: c\n\r\n", "a/b/c")]
    [TestCase("data:\ta\n\n", "\ta")]
    [TestCase("data: a\n\n\xef\xbb\xbf" + "data: b\n\n", "a")]
    [TestCase("\xef\xbb\xbf\xef\xbb\xbf" + "data: a\ndata: b\n\n", "b")]
    [TestCase("\xef\xbb" + "data: a\ndata: b\n\n", "b")]
    [TestCase("event: x\nevent: y\ndata: a\n\n", "y|a")]
    [TestCase("event: x\nevent\ndata: a\n\n", "a")]
    [TestCase("data: cut off\n")]
    [TestCase("data: cut off")]
    [TestCase("")]
    public void Events(string wire, params string[] expected)
    {
        foreach (IEnumerable<ReadOnlySequence<byte>> arrival in Arrivals(Segmented.Bytes(wire)))
            Assert.That(Read(new EventStreamReader(), arrival, out _), Is.EqualTo(expected));
    }

    [TestCase("id: 7\ndata: a\n\ndata: b\n\n", "7")]
    [TestCase("id: 7\n\nid\ndata: b\n\n", "")]
    [TestCase("id: 7\nid: a\0b\ndata: b\n\n", "7")]
    public void The_last_id_stays(string wire, string id)
    {
        EventStreamReader reader = new();
        Read(reader, [new ReadOnlySequence<byte>(Segmented.Bytes(wire))], out _);
        Assert.That(Encoding.UTF8.GetString(reader.LastId), Is.EqualTo(id));
    }

    [TestCase("retry: 2500\n", 2500)]
    [TestCase("retry: 2500\nretry: x\n", 2500)]
    [TestCase("retry: 2147483647\n", 2147483647)]
    [TestCase("retry: 2147483648\n", null)]
    [TestCase("retry: 99999999999999999999\n", null)]
    [TestCase("retry: -1\n", null)]
    [TestCase("retry: +1\n", null)]
    [TestCase("retry: 1.5\n", null)]
    [TestCase("retry:\n", null)]
    public void Retry_is_whole_milliseconds(string wire, int? milliseconds)
    {
        EventStreamReader reader = new();
        Read(reader, [new ReadOnlySequence<byte>(Segmented.Bytes(wire))], out _);
        Assert.That(reader.Retry?.TotalMilliseconds, Is.EqualTo((double?)milliseconds));
    }

    // Sixteen bytes: an event's data, and the line that is being read.
    [TestCase("data: 0123456789\n\n", true)]
    [TestCase("data: 0123456789a\n\n", false)]
    [TestCase(":0123456789abcde\ndata: a\n\n", true)]
    [TestCase(":0123456789abcdef", false)]
    [TestCase("data: 01234\ndata: 6789\n\n", true)]
    [TestCase("data: 0123456789\ndata: 56789\n\n", false)]
    public void An_event_over_the_limit_ends_the_stream(string wire, bool isTaken)
    {
        // However the line came.
        foreach (IEnumerable<ReadOnlySequence<byte>> arrival in Arrivals(Segmented.Bytes(wire)))
        {
            Read(new EventStreamReader(16), arrival, out EventStreamStatus status);
            Assert.That(status == EventStreamStatus.TooLarge, Is.EqualTo(!isTaken));
        }
    }

    [Test]
    public void Nothing_is_read_after_the_limit()
    {
        EventStreamReader reader = new(16);
        ReadOnlySequence<byte> input = new(Segmented.Bytes("data: 0123456789abcdefg\n\ndata: b\n\n"));
        Assert.That(reader.Read(ref input), Is.EqualTo(EventStreamStatus.TooLarge));
        input = new ReadOnlySequence<byte>(Segmented.Bytes("data: b\n\n"));
        Assert.That(reader.Read(ref input), Is.EqualTo(EventStreamStatus.TooLarge));
    }

    [Test]
    public void Events_of_a_warm_reader_allocate_nothing()
    {
        EventStreamReader reader = new();
        byte[] wire = Encoding.ASCII.GetBytes("id: 1\nevent: delta\ndata: {\"choices\":[{\"delta\":{\"content\":\"word\"}}]}\n\n");
        for (int i = 0; i < 100; i++) Run();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++) Run();
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);

        void Run()
        {
            ReadOnlySequence<byte> half = new(wire, 0, 20), rest = new(wire, 20, wire.Length - 20);
            if (reader.Read(ref half) != EventStreamStatus.NeedMore || reader.Read(ref rest) != EventStreamStatus.Event) throw new InvalidOperationException();
        }
    }

    private static IEnumerable<IEnumerable<ReadOnlySequence<byte>>> Arrivals(byte[] wire)
    {
        // In one read, of one piece or several.
        foreach (ReadOnlySequence<byte> whole in Segmented.Every(wire)) yield return [whole];
        // In several reads.
        foreach (int[] ends in Segmented.Arrivals(wire.Length))
        {
            int start = 0;
            List<ReadOnlySequence<byte>> reads = [];
            foreach (int end in ends)
            {
                reads.Add(new ReadOnlySequence<byte>(wire[start..end]));
                start = end;
            }
            yield return reads;
        }
    }

    private static List<string> Read(EventStreamReader reader, IEnumerable<ReadOnlySequence<byte>> reads, out EventStreamStatus last)
    {
        List<string> events = [];
        last = EventStreamStatus.NeedMore;
        foreach (ReadOnlySequence<byte> read in reads)
        {
            ReadOnlySequence<byte> input = read;
            while ((last = reader.Read(ref input)) == EventStreamStatus.Event)
                events.Add((reader.Name.IsEmpty ? "" : Encoding.UTF8.GetString(reader.Name) + "|") + Encoding.UTF8.GetString(reader.Data).Replace('\n', '/'));
            Assert.That(input.IsEmpty);
            if (last == EventStreamStatus.TooLarge) break;
        }
        return events;
    }
}
