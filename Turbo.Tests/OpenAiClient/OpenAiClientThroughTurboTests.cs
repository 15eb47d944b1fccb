using Turbo.Server.Mock;
using Turbo.Tests.Support;

namespace Turbo.Tests.OpenAiClient;

/// <summary>The openai package with a user's session token, through the built server, to the mock.</summary>
[Category(TurboProcess.Category)]
internal sealed class OpenAiClientThroughTurboTests
{
    private OrderedDictionary<string, CheckResult> _results = [];

    [OneTimeSetUp]
    public async Task Run()
    {
        await using MockServer mock = new();
        mock.Start();
        using TurboNode turbo = await TurboNode.StartAsync(("OPENAI_API_URL", $"http://{mock.EndPoints[0]}"));
        Reply signedUp = await turbo.FormAsync("/user/signup", "username=openai-client");
        _results = await OpenAiClientRun.RunAsync(new Uri(turbo.Address, "/v1"), signedUp.Json.GetProperty("Token").GetString()!, mock.Address);
        await turbo.StopAsync();
    }

    [Test]
    public void Every_check_ran() => Assert.That(_results.Keys, Is.EqualTo(OpenAiClientRun.Checks));

    [TestCaseSource(typeof(OpenAiClientRun), nameof(OpenAiClientRun.Checks))]
    public void Check(string name) => Assert.That(_results[name].Error, Is.Null);
}
