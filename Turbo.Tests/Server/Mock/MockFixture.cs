using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using Turbo.Net;
using Turbo.Net.Diagnostics;
using Turbo.Server.Mock;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Mock;

/// <summary>A mock of its own for each test, and raw requests to it.</summary>
internal abstract class MockFixture
{
    private FaultLog _log = null!;

    protected MockServer Mock { get; private set; } = null!;

    protected virtual MockOptions Options => new();

    [SetUp]
    public void StartMock()
    {
        _log = new FaultLog();
        Mock = new MockServer(Options with { Log = _log });
        Mock.Start();
    }

    [TearDown]
    public async Task StopMock()
    {
        await Mock.DisposeAsync();
        Assert.That(Mock.Stats.Active, Is.Zero);
        Assert.That(_log.Faults, Is.Empty);
    }

    protected RawClient Connect() => new(Mock.EndPoints[0]);

    protected RawResponse Get(string path, string fields = "")
    {
        using RawClient client = Connect();
        return client.Exchange($"GET {path} HTTP/1.1\r\nHost: mock\r\n{fields}\r\n");
    }

    protected RawResponse Post(string path, string json, string fields = "")
    {
        using RawClient client = Connect();
        return client.Send(Request(path, json, fields)).Read();
    }

    protected static byte[] Request(string path, string json, string fields = "") =>
        Encoding.UTF8.GetBytes($"POST {path} HTTP/1.1\r\nHost: mock\r\nContent-Type: application/json\r\n{fields}Content-Length: {Encoding.UTF8.GetByteCount(json)}\r\n\r\n{json}");

    /// <summary>The response's JSON, which must be a 200's.</summary>
    protected static JsonElement Json(RawResponse response)
    {
        Assert.That(response.Status, Is.EqualTo(200), response.Text);
        Assert.That(response.Field("Content-Type"), Is.EqualTo("application/json"));
        return JsonDocument.Parse(response.Body).RootElement;
    }

    /// <summary>The error object of a response with that status.</summary>
    protected static JsonElement Error(RawResponse response, int status)
    {
        Assert.That(response.Status, Is.EqualTo(status), response.Text);
        Assert.That(response.Field("Content-Type"), Is.EqualTo("application/json"));
        JsonElement error = JsonDocument.Parse(response.Body).RootElement.GetProperty("error");
        Assert.That(error.EnumerateObject().Select(static p => p.Name), Is.EqualTo(new[] { "message", "type", "param", "code" }));
        return error;
    }

    /// <summary>Keeps what a server that works never says.</summary>
    private sealed class FaultLog : IServerLog
    {
        public ConcurrentQueue<Exception> Faults { get; } = [];

        public void HandlerFailed(Exchange exchange, Exception error) => Faults.Enqueue(error);

        public void ConnectionFailed(System.Net.IPEndPoint? client, Exception error) => Faults.Enqueue(error);
    }
}
