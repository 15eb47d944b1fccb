using Turbo.Tests.Support;

/// <summary>Ends what all tests share. In no namespace, so that it is for all tests.</summary>
[SetUpFixture]
internal sealed class ServersTeardown
{
    [OneTimeTearDown]
    public async Task StopAsync()
    {
        RedisServer.StopShared();
        await PostgresTestDatabase.DropTemplatesAsync();
    }
}
