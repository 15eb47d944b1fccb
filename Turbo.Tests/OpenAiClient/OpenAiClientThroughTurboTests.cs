using Turbo.Server;
using Turbo.Server.Mock;
using Turbo.Tests.Support;

namespace Turbo.Tests.OpenAiClient;

/// <summary>The openai package with a user's session token, through the whole application, to the mock.</summary>
internal sealed class OpenAiClientThroughTurboTests
{
    private OrderedDictionary<string, CheckResult> _results = [];

    [OneTimeSetUp]
    public async Task Run()
    {
        await using MockServer mock = new();
        mock.Start();
        await using TestApp turbo = await TestApp.StartAsync(options => options with { Upstream = UpstreamTarget.At(mock.EndPoints[0]) });
        (string token, _) = await turbo.SignUpAsync("openai-client");
        _results = await OpenAiClientRun.RunAsync(new Uri($"http://{turbo.EndPoint}/v1"), token, mock.Address);
    }

    [Test]
    public void Every_check_ran() => Assert.That(_results.Keys, Is.EqualTo(OpenAiClientRun.Checks));

    [TestCaseSource(typeof(OpenAiClientRun), nameof(OpenAiClientRun.Checks))]
    public void Check(string name) => Assert.That(_results[name].Error, Is.Null);
}
