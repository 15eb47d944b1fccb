using System.Text;
using Turbo.Net.WebSocket;

namespace Turbo.Tests.Net.WebSocket;

/// <summary>RFC 7692 §5 and §7.1: an offer is accepted whole or not at all, and never with what it does not allow.</summary>
internal sealed class DeflateOfferTests
{
    private static readonly WebSocketCompression s_plain = new();

    [TestCase("permessage-deflate", "permessage-deflate")]
    [TestCase("Permessage-Deflate", "permessage-deflate")]
    [TestCase("permessage-deflate; client_max_window_bits", "permessage-deflate")]
    [TestCase("permessage-deflate;client_max_window_bits=15", "permessage-deflate")]
    [TestCase("permessage-deflate ; client_max_window_bits = 10 ", "permessage-deflate; client_max_window_bits=10")]
    [TestCase("permessage-deflate; client_max_window_bits=8", "permessage-deflate; client_max_window_bits=8")]
    [TestCase("permessage-deflate; client_max_window_bits=\"9\"", "permessage-deflate; client_max_window_bits=9")]
    [TestCase("permessage-deflate; client_max_window_bits=\"1\\0\"", "permessage-deflate; client_max_window_bits=10")]
    [TestCase("permessage-deflate; server_max_window_bits=15", "permessage-deflate; server_max_window_bits=15")]
    [TestCase("permessage-deflate; server_max_window_bits=8", "permessage-deflate; server_max_window_bits=8")]
    [TestCase("permessage-deflate; SERVER_max_window_bits=12", "permessage-deflate; server_max_window_bits=12")]
    [TestCase("permessage-deflate; server_no_context_takeover", "permessage-deflate; server_no_context_takeover")]
    [TestCase("permessage-deflate; client_no_context_takeover", "permessage-deflate; client_no_context_takeover")]
    [TestCase("permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=11; client_max_window_bits=12",
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=11; client_max_window_bits=12")]
    [TestCase("x-webkit-deflate-frame, permessage-deflate", "permessage-deflate")]
    [TestCase("foo; bar=baz; q=\"x\", permessage-deflate", "permessage-deflate")]
    [TestCase(", ,permessage-deflate,,", "permessage-deflate")]
    [TestCase("permessage-deflate; server_max_window_bits=9, permessage-deflate", "permessage-deflate; server_max_window_bits=9")]
    // declined, and the next considered
    [TestCase("permessage-deflate; foo, permessage-deflate; server_no_context_takeover", "permessage-deflate; server_no_context_takeover")]
    [TestCase("permessage-deflate; server_max_window_bits=7, permessage-deflate", "permessage-deflate")]
    [TestCase("permessage-deflate; client_max_window_bits=16, permessage-deflate; client_max_window_bits=14", "permessage-deflate; client_max_window_bits=14")]
    public void Accepted(string offers, string answer) => Assert.That(Answer(offers, s_plain), Is.EqualTo(answer));

    [TestCase("")]
    [TestCase("permessage-bzip2")]
    [TestCase("permessage-deflate; foo")]
    [TestCase("permessage-deflate; foo=1")]
    [TestCase("permessage-deflate; server_no_context_takeover=1")]
    [TestCase("permessage-deflate; client_no_context_takeover=true")]
    [TestCase("permessage-deflate; server_no_context_takeover; server_no_context_takeover")]
    [TestCase("permessage-deflate; client_no_context_takeover; CLIENT_no_context_takeover")]
    [TestCase("permessage-deflate; server_max_window_bits")]
    [TestCase("permessage-deflate; server_max_window_bits=7")]
    [TestCase("permessage-deflate; server_max_window_bits=16")]
    [TestCase("permessage-deflate; server_max_window_bits=08")]
    [TestCase("permessage-deflate; server_max_window_bits=0")]
    [TestCase("permessage-deflate; server_max_window_bits=1")]
    [TestCase("permessage-deflate; server_max_window_bits=100")]
    [TestCase("permessage-deflate; server_max_window_bits=+9")]
    [TestCase("permessage-deflate; server_max_window_bits=abc")]
    [TestCase("permessage-deflate; server_max_window_bits=9; server_max_window_bits=9")]
    [TestCase("permessage-deflate; client_max_window_bits=7")]
    [TestCase("permessage-deflate; client_max_window_bits=16")]
    [TestCase("permessage-deflate; client_max_window_bits=09")]
    [TestCase("permessage-deflate; client_max_window_bits; client_max_window_bits=9")]
    [TestCase("permessage-deflate; client_max_window_bits=1aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]
    [TestCase("permessage-deflate; client_max_window_bits=\"9aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"")]
    public void Declined(string offers) => Assert.That(Answer(offers, s_plain), Is.EqualTo("declined"));

    [TestCase("permessage-deflate;")]
    [TestCase("permessage-deflate; ;")]
    [TestCase(";server_no_context_takeover")]
    [TestCase("permessage-deflate; server_max_window_bits=")]
    [TestCase("permessage-deflate; =9")]
    [TestCase("permessage-deflate; server_max_window_bits=\"")]
    [TestCase("permessage-deflate; server_max_window_bits=\"9")]
    [TestCase("permessage-deflate; server_max_window_bits=\"\"")]
    [TestCase("permessage-deflate; server_max_window_bits=\"9 \"")]
    [TestCase("permessage-deflate; server_max_window_bits=\"9\\\"")]
    [TestCase("permessage-deflate; server_max_window_bits=9 9")]
    [TestCase("permessage-deflate foo")]
    [TestCase("permessage/deflate")]
    [TestCase("permessage-deflate, \"x\"")]
    [TestCase("permessage-deflate; a=b=c")]
    public void Malformed(string offers)
    {
        Assert.That(Answer(offers, s_plain), Is.EqualTo("malformed"));
        Assert.That(Answer(offers, null), Is.EqualTo("malformed"), "whether or not compression is offered");
    }

    [Test]
    public void Nothing_is_accepted_without_compression() => Assert.That(Answer("permessage-deflate", null), Is.EqualTo("declined"));

    [TestCase("permessage-deflate", "permessage-deflate; server_no_context_takeover; client_no_context_takeover")]
    [TestCase("permessage-deflate; client_max_window_bits", "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits=10")]
    [TestCase("permessage-deflate; client_max_window_bits=9", "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits=9")]
    public void The_server_asks_for_less_memory(string offers, string answer) =>
        Assert.That(Answer(offers, new WebSocketCompression { ServerNoContextTakeover = true, ClientNoContextTakeover = true, ClientMaxWindowBits = 10 }), Is.EqualTo(answer));

    private static string Answer(string offers, WebSocketCompression? options)
    {
        switch (DeflateOffer.Read(Encoding.Latin1.GetBytes(offers), options, out DeflateParameters accepted))
        {
            case OfferResult.Declined: return "declined";
            case OfferResult.Malformed: return "malformed";
        }
        Span<byte> answer = stackalloc byte[160];
        return Encoding.Latin1.GetString(answer[..accepted.Write(answer)]);
    }
}
