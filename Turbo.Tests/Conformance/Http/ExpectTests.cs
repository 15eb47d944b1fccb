namespace Turbo.Tests.Conformance.Http;

/// <summary>RFC 9110 §10.1.1: 100-continue is answered when the content is first wanted, and no other expectation is met.</summary>
[TestFixture]
internal sealed class ExpectTests : HttpTable
{
    private const string Continue = "HTTP/1.1 100 Continue\r\n\r\n";

    private static string Head(string expect, string path = "/body", string framing = "Content-Length: 5\r\n", string version = "1.1") =>
        $"POST {path} HTTP/{version}\r\nHost: h\r\n{framing}{expect}\r\n";

    [TestCase("Expect: 100-continue\r\n")]
    [TestCase("expect: 100-CONTINUE \r\n")]
    public void Content_is_called_for_once(string expect)
    {
        AnswersIn(Head(expect), Continue, "hello", Seen("hello"), Get, Hello);
        AnswersIn(Head(expect), Continue, "hel", "", "lo" + Get, Seen("hello") + Hello);
        AnswersIn(Head(expect, framing: "Transfer-Encoding: chunked\r\n"), Continue, "5\r\nhello\r\n", "", "0\r\n\r\n", Seen("hello"));
    }

    [TestCase("h", "ello")]
    [TestCase("hello", "")]
    public void It_is_not_called_for_where_it_comes_already(string sent, string rest) => AnswersIn(Head("Expect: 100-continue\r\n") + sent, rest.Length == 0 ? Seen("hello") : "", rest, rest.Length == 0 ? "" : Seen("hello"));

    [Test]
    public void It_is_not_called_for_where_nobody_wants_it()
    {
        // The client may or may not send it now: nobody can tell where the next request begins.
        AnswersIn(Head("Expect: 100-continue\r\n", "/ignore"), "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 7\r\nConnection: close\r\n\r\nignored");
        AnswersIn(Head("Expect: 100-continue\r\n", "/nowhere"), Refusal("404 Not Found", "not found"));
        AnswersIn(Head("Expect: 100-continue\r\n", framing: "Content-Length: 16777217\r\n"), Refusal("413 Content Too Large", "request body too large"));
    }

    [Test]
    public void It_is_not_called_for_where_there_is_none()
    {
        AnswersIn(Head("Expect: 100-continue\r\n", framing: ""), Seen(""), Get, Hello);
        AnswersIn(Head("Expect: 100-continue\r\n", framing: "Content-Length: 0\r\n"), Seen(""), Get, Hello);
        AnswersIn("GET /plaintext HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n", Hello, Get, Hello);
    }

    [Test]
    public void HTTP_1_0_does_not_know_it() => AnswersIn(Head("Expect: 100-continue\r\n", version: "1.0"), "", "hello", Seen("hello", isLast: true));

    [TestCaseSource(nameof(Unknown))]
    public void Another_expectation_is_417(string wire, string answer) => Answers(wire, answer);

    private static IEnumerable<TestCaseData> Unknown() => Rows(Refusal("417 Expectation Failed", "expectation not supported"),
        [.. ((string[])["Expect:\r\n", "Expect: x\r\n", "Expect: 100\r\n", "Expect: 100-continued\r\n", "Expect: 100 continue\r\n", "Expect: \"100-continue\"\r\n", "Expect: 100-continue;q=1\r\n", "Expect: 100-continue, x\r\n", "Expect: x, 100-continue\r\n", "Expect: 100-continue,\r\n",
            "Expect: 100-continue\r\nExpect: 100-continue\r\n", "Expect: 100-continue\r\nExpect: x\r\n", "Expect:\r\nExpect: 100-continue\r\n"]).Select(static expect => Head(expect) + "hello")]);

    [Test]
    public void Answers_before_it_leave_first() => AnswersIn(Get + Head("Expect: 100-continue\r\n"), Hello + Continue, "hello", Seen("hello"));

    // Unlike the tables', with 100 (Continue) in its place.
    private void AnswersIn(params string[] turns) => Talks(keepsInterim: true, turns);
}
