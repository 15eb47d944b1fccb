using System.Text;
using Turbo.Net;
using Turbo.Net.Http1;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net.Http1;

[TestFixture]
internal sealed class HeaderFieldsTests
{
    private static HeaderFields Parse(string lines)
    {
        byte[] bytes = Segmented.Bytes(lines + "\r\n");
        HeaderFields fields = new();
        fields.SetBytes(bytes);
        int at = 0;
        Assert.That(Http1Parser.ReadFields(bytes, ref at, fields, 200, out RejectReason reject), Is.EqualTo(ParseStatus.Complete), $"{reject}");
        return fields;
    }

    /// <summary>RFC 9110 §5.6.1: lists over several lines, empty members, white space, no case.</summary>
    [TestCase("Connection: close\r\n", true)]
    [TestCase("Connection: CLOSE\r\n", true)]
    [TestCase("Connection: keep-alive, close\r\n", true)]
    [TestCase("Connection: ,\t, close ,\r\n", true)]
    [TestCase("Connection: a\r\nConnection: close\r\n", true)]
    [TestCase("Connection: closed\r\n", false)]
    [TestCase("Connection: not close\r\n", false)]
    [TestCase("Connection: \"close\"\r\n", false)]
    [TestCase("Connection:\r\n", false)]
    [TestCase("X-Connection: close\r\n", false)]
    [TestCase("", false)]
    public void A_token_is_found_in_a_list(string lines, bool found) =>
        Assert.That(Parse(lines).HasToken(KnownField.Connection, "close"u8), Is.EqualTo(found));

    [Test]
    public void Values_by_known_name_and_by_name()
    {
        HeaderFields fields = Parse("cOOkie: 1\r\nX-Y: 2\r\nCookie: 3\r\n");
        Assert.That(fields.TryGet(KnownField.Cookie, out ReadOnlySpan<byte> value) && value.SequenceEqual("1"u8));
        Assert.That(fields.TryGet("x-y"u8, out value) && value.SequenceEqual("2"u8));
        Assert.That(fields.TryGet("COOKIE"u8, out value) && value.SequenceEqual("1"u8));
        Assert.That(fields.TryGet("x-"u8, out _), Is.False);
        Assert.That(fields.TryGet(KnownField.Host, out _), Is.False);
        Assert.That(fields.CountOf(KnownField.Cookie), Is.EqualTo(2));
        fields.Clear();
        Assert.That(fields.Has(KnownField.Cookie) || fields.TryGet("x-y"u8, out _) || fields.Count != 0, Is.False);
    }

    [Test]
    public void An_index_past_the_end_throws()
    {
        HeaderFields fields = Parse("A: b\r\n");
        Assert.Throws<IndexOutOfRangeException>(() => _ = fields[1].Known);
    }

    [Test]
    public void More_fields_than_slots_at_first()
    {
        HeaderFields fields = Parse(string.Concat(Enumerable.Range(0, 150).Select(i => $"F{i}: {i}\r\n")) + "Host: h\r\n");
        Assert.That(fields.Count, Is.EqualTo(151));
        Assert.That(Encoding.Latin1.GetString(fields[149].Value), Is.EqualTo("149"));
        Assert.That(fields.Has(KnownField.Host));
    }

    private static readonly (string Name, KnownField Known)[] s_names =
    [
        ("Host", KnownField.Host), ("Content-Length", KnownField.ContentLength), ("Transfer-Encoding", KnownField.TransferEncoding),
        ("Connection", KnownField.Connection), ("Keep-Alive", KnownField.KeepAlive), ("Proxy-Connection", KnownField.ProxyConnection),
        ("TE", KnownField.TE), ("Trailer", KnownField.Trailer), ("Upgrade", KnownField.Upgrade), ("Expect", KnownField.Expect),
        ("Authorization", KnownField.Authorization), ("Cookie", KnownField.Cookie), ("Origin", KnownField.Origin),
        ("Content-Type", KnownField.ContentType), ("Content-Encoding", KnownField.ContentEncoding), ("Date", KnownField.Date),
        ("If-None-Match", KnownField.IfNoneMatch), ("Accept-Encoding", KnownField.AcceptEncoding),
        ("X-Forwarded-For", KnownField.XForwardedFor), ("Vary", KnownField.Vary),
        ("Access-Control-Allow-Origin", KnownField.AccessControlAllow), ("Access-Control-Allow-Credentials", KnownField.AccessControlAllow),
        ("Access-Control-Request-Method", KnownField.AccessControlRequestMethod), ("Sec-WebSocket-Key", KnownField.SecWebSocketKey),
        ("Sec-WebSocket-Version", KnownField.SecWebSocketVersion), ("Sec-WebSocket-Protocol", KnownField.SecWebSocketProtocol),
        ("Sec-WebSocket-Extensions", KnownField.SecWebSocketExtensions),
    ];

    [Test]
    public void Every_known_name_in_any_case_and_no_neighbour()
    {
        foreach ((string name, KnownField known) in s_names)
        {
            foreach (string spelled in new[] { name, name.ToLowerInvariant(), name.ToUpperInvariant() })
                Assert.That(KnownFields.Classify(Segmented.Bytes(spelled)), Is.EqualTo(known), spelled);
            if (known == KnownField.AccessControlAllow) continue;
            for (int i = 0; i < name.Length; i++)
            {
                string neighbour = name[..i] + (char)(name[i] ^ 0x01) + name[(i + 1)..];
                Assert.That(KnownFields.Classify(Segmented.Bytes(neighbour)), Is.EqualTo(KnownField.Other), neighbour);
            }
            Assert.That(KnownFields.Classify(Segmented.Bytes(name + "x")), Is.EqualTo(KnownField.Other));
            Assert.That(KnownFields.Classify(Segmented.Bytes(name[..^1])), Is.EqualTo(KnownField.Other));
        }
    }

    [Test]
    public void Every_known_field_has_a_name_and_a_bit_of_its_own()
    {
        KnownField[] all = Enum.GetValues<KnownField>();
        Assert.That(s_names.Select(static n => n.Known).Distinct().Append(KnownField.Other).Order(), Is.EqualTo(all.Order()));
        Assert.That(all.Max(static k => (int)k), Is.LessThan(32), "HeaderFields keeps presence in 32 bits");
    }

    [TestCase("h", true)]
    [TestCase("example.com:80", true)]
    [TestCase("example.com:", true)]
    [TestCase("127.0.0.1:1", true)]
    [TestCase("[::1]", true)]
    [TestCase("[2001:db8::1.2.3.4]:8080", true)]
    [TestCase("a-b_c.~!$&'()*+,;=%41", true)]
    [TestCase("", false)]
    [TestCase(":80", false)]
    [TestCase("h:80:80", false)]
    [TestCase("h:8a", false)]
    [TestCase("h:-1", false)]
    [TestCase("u@h", false)]
    [TestCase("h/", false)]
    [TestCase("h?x", false)]
    [TestCase("a b", false)]
    [TestCase("a\tb", false)]
    [TestCase("\xe4", false)]
    [TestCase("::1", false)]
    [TestCase("[]", false)]
    [TestCase("[1]", false)]
    [TestCase("[::1", false)]
    [TestCase("[::1]x", false)]
    [TestCase("[::g]", false)]
    [TestCase("[::1]:x", false)]
    [TestCase("h\"", false)]
    public void Host(string host, bool isValid) => Assert.That(HostSyntax.IsValid(Segmented.Bytes(host)), Is.EqualTo(isValid));
}
