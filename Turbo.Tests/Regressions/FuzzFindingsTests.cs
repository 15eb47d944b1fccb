using Turbo.Tests.Fuzz;
using Turbo.Tests.Support;

namespace Turbo.Tests.Regressions;

/// <summary>What scripts/fuzz found, with the bytes that it found it with.</summary>
[TestFixture]
internal sealed class FuzzFindingsTests
{
    [TestCase(@"T / HTTP/1.1\r\nHost:[51]:\r\nh:\r\n\r\n", TestName = "Request_whose_Host_is_no_address_in_brackets")]
    [TestCase(@"G / HTTP/1.1\r\nHost:a%2\r\n\r\n", TestName = "Request_whose_Host_has_a_bare_percent_sign")]
    public void Request(string input) => Run("request", input);

    // It was waited for without bound: the limit was not looked at between the CR and the LF.
    [TestCase(@"HTTP/1.1 200 ansfer-Encoding::chuBontent\x80-Zyicatiol/helpe: taxt 600 gth:t-st/em\r", TestName = "Response_whose_status_line_fills_the_limit_up_to_its_CR")]
    public void Response(string input) => Run("response", input);

    // It went on to the client as it was, with what ends at this hop and what no informational response may have.
    [TestCase(@"\x00HTTP/1.1 103\r\ntransfer-encoding:\r\n\r\n", TestName = "Informational_response_with_a_Transfer_Encoding")]
    [TestCase(@"\x00HTTP/1.1 103 \r\nConnection:\r\n\r\n", TestName = "Informational_response_with_a_Connection_field")]
    public void Relay(string input) => Run("relay", input);

    // 1009 in one piece, 1007 in several: text that is none within the limit comes first.
    [TestCase(@"\x15\xc1\x87\x00\x00\x00\x00\xf2xxx\x00\x00", TestName = "Compressed_text_that_is_too_large_and_none")]
    [TestCase(@"\xff\xc1\xbd\x00\x00\x00\x00\xaaV\xcaM-.NLOU\xb2\xaaV*(\xca\xcf-(Q\xb2R*\xcfH-Q\xc8,V(\xc9HU(OT\x04REJ\xcf(\x00", TestName = "Compressed_text_that_ends_within_a_character_at_the_limit")]
    public void WebSocket(string input) => Run("websocket", input);

    private static void Run(string target, string input) => Inline.Run(() => FuzzTargets.Named(target).Run(Escaped.Read(input)));
}
