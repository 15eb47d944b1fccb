using Turbo.Tests.Support;

/// <summary>In no namespace, so that it is for all tests.</summary>
[SetUpFixture]
internal sealed class PostgresTeardown
{
    [OneTimeTearDown]
    public Task DropTemplatesAsync() => PostgresTestDatabase.DropTemplatesAsync();
}
