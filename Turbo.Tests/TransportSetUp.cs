using Turbo.Net;

namespace Turbo.Tests;

/// <summary>Lets the same tests run on either transport: <c>TURBO_TEST_TRANSPORT=sockets</c>.</summary>
[SetUpFixture]
internal sealed class TransportSetUp
{
    [OneTimeSetUp]
    public void Choose()
    {
        if (Environment.GetEnvironmentVariable("TURBO_TEST_TRANSPORT") is { Length: > 0 } name) TransportKinds.Auto = Enum.Parse<TransportKind>(name, ignoreCase: true);
    }
}
