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

    private static void Run(string target, string input) => Inline.Run(() => FuzzTargets.Named(target).Run(Escaped.Read(input)));
}
