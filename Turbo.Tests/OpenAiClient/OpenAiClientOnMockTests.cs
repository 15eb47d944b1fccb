using Turbo.Server.Mock;
using Turbo.Tests.Support;

namespace Turbo.Tests.OpenAiClient;

/// <summary>The openai package straight against the mock: what holds here and not through Turbo is Turbo's fault.</summary>
internal sealed class OpenAiClientOnMockTests
{
    private OrderedDictionary<string, CheckResult> _results = [];

    [OneTimeSetUp]
    public async Task Run()
    {
        await using MockServer mock = new();
        mock.Start();
        _results = await OpenAiClientRun.RunAsync(new Uri(mock.Address, "v1"), "sk-any", mock.Address);
    }

    [Test]
    public void Every_check_ran() => Assert.That(_results.Keys, Is.EqualTo(OpenAiClientRun.Checks));

    [TestCaseSource(typeof(OpenAiClientRun), nameof(OpenAiClientRun.Checks))]
    public void Check(string name) => Assert.That(_results[name].Error, Is.Null);
}
