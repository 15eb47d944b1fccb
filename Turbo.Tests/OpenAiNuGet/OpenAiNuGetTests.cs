using System.ClientModel;
using System.ClientModel.Primitives;
using OpenAI;
using OpenAI.Chat;
using OpenAI.Embeddings;
using OpenAI.Models;
using Turbo.Server;
using Turbo.Server.Mock;
using Turbo.Tests.Support;

namespace Turbo.Tests.OpenAiNuGet;

/// <summary>OpenAI's .NET client, unmodified, with a user's session token, through the whole application, to the mock.</summary>
[TestFixture]
internal sealed class OpenAiNuGetTests
{
    private const string Model = "gpt-4o-mini";

    private MockServer _mock = null!;
    private TestApp _turbo = null!;
    private HttpClient _http = null!;
    private string _token = "";

    [OneTimeSetUp]
    public async Task Start()
    {
        _mock = new MockServer();
        _mock.Start();
        _turbo = await TestApp.StartAsync(options => options with { Upstream = UpstreamTarget.At(_mock.EndPoints[0]) });
        (_token, _) = await _turbo.SignUpAsync("nuget");
        _http = new HttpClient(_turbo.Handler());
    }

    [OneTimeTearDown]
    public async Task Stop()
    {
        _http?.Dispose();
        if (_turbo is not null) await _turbo.DisposeAsync();
        if (_mock is not null) await _mock.DisposeAsync();
    }

    [Test]
    public async Task Models()
    {
        OpenAIModelClient models = Client().GetOpenAIModelClient();
        Assert.That((await models.GetModelsAsync()).Value.Select(static model => model.Id), Has.Some.EqualTo(Model));
        Assert.That((await models.GetModelAsync(Model)).Value.Id, Is.EqualTo(Model));
    }

    [Test]
    public async Task A_chat_completion_in_one_piece()
    {
        ChatCompletion completion = await Client().GetChatClient(Model).CompleteChatAsync([new SystemChatMessage("Be brief."), new UserChatMessage("Grüße, 世界 🌍!")]);
        Assert.That(completion.Content.Single().Text, Is.EqualTo("Reply to 2 messages: Grüße, 世界 🌍!"));
        Assert.That(completion.FinishReason, Is.EqualTo(ChatFinishReason.Stop));
        Assert.That((completion.Usage.InputTokenCount, completion.Usage.OutputTokenCount, completion.Usage.TotalTokenCount), Is.EqualTo((5, 7, 12)));
    }

    [Test]
    public async Task A_chat_completion_streamed()
    {
        List<string> words = [];
        ChatFinishReason? finish = null;
        ChatTokenUsage? usage = null;
        await foreach (StreamingChatCompletionUpdate update in Client(("Words", 10), ("Interval", 1)).GetChatClient(Model).CompleteChatStreamingAsync([new UserChatMessage("one two three")]))
        {
            words.AddRange(update.ContentUpdate.Select(static part => part.Text).Where(static text => text.Length > 0));
            finish = update.FinishReason ?? finish;
            usage = update.Usage ?? usage;
        }
        Assert.That(words, Has.Count.EqualTo(10));
        Assert.That(string.Concat(words), Does.StartWith("Reply to 1 message: one two three"));
        Assert.That((finish, usage?.OutputTokenCount), Is.EqualTo(((ChatFinishReason?)ChatFinishReason.Stop, (int?)10)));
    }

    [Test]
    public async Task A_stream_that_is_left_ends_upstream()
    {
        long cancelled = _mock.Stats.Cancelled;
        using CancellationTokenSource leaving = new();
        IAsyncEnumerator<StreamingChatCompletionUpdate> updates = Client(("Words", 100_000), ("Interval", 50))
            .GetChatClient(Model).CompleteChatStreamingAsync([new UserChatMessage("a long story")], cancellationToken: leaving.Token).GetAsyncEnumerator(leaving.Token);
        while (await updates.MoveNextAsync() && updates.Current.ContentUpdate.Count == 0) { }
        await Until.TrueAsync(() => _mock.Stats.Active == 1);
        await leaving.CancelAsync();
        Assert.That(async () => { while (await updates.MoveNextAsync()) { } }, Throws.InstanceOf<OperationCanceledException>());
        await updates.DisposeAsync();
        await Until.TrueAsync(() => _mock.Stats.Active == 0);
        Assert.That(_mock.Stats.Cancelled, Is.EqualTo(cancelled + 1));
    }

    [Test]
    public void A_stream_that_breaks_is_not_taken_for_a_whole_one()
    {
        int received = 0;
        Assert.That(async () =>
        {
            await foreach (StreamingChatCompletionUpdate _ in Client(("Words", 50), ("Interval", 1), ("Break", 5)).GetChatClient(Model).CompleteChatStreamingAsync([new UserChatMessage("x")])) received++;
        }, Throws.InstanceOf<IOException>().Or.InstanceOf<HttpRequestException>().Or.InstanceOf<ClientResultException>());
        Assert.That(received, Is.GreaterThan(0).And.LessThan(50));
    }

    [Test]
    public async Task Embeddings()
    {
        OpenAIEmbeddingCollection embeddings = await Client().GetEmbeddingClient("text-embedding-3-small").GenerateEmbeddingsAsync(["one", "two"], new EmbeddingGenerationOptions { Dimensions = 8 });
        Assert.That(embeddings.Select(static one => one.ToFloats().Length), Is.EqualTo(new[] { 8, 8 }));
        Assert.That(embeddings[0].ToFloats().ToArray(), Is.Not.EqualTo(embeddings[1].ToFloats().ToArray()));
        Assert.That(embeddings.Usage.TotalTokenCount, Is.Positive);
    }

    [Test]
    public async Task The_errors_of_Turbo_are_read_as_the_upstreams_are()
    {
        ClientResultException turbos = await FailsAsync(new OpenAIClient(new ApiKeyCredential("sk-invalid-key"), Options()).GetOpenAIModelClient().GetModelsAsync());
        Assert.That((turbos.Status, turbos.Message), Is.EqualTo((401, Told(401, "authentication_error", "invalid_session", "the session is unknown, ended or expired: log in again"))));
        ClientResultException upstreams = await FailsAsync(Client().GetOpenAIModelClient().GetModelAsync("no-such-model"));
        Assert.That(upstreams.Status, Is.EqualTo(404));
        Assert.That(upstreams.Message, Does.StartWith("HTTP 404 (").And.Contain("model_not_found"));
    }

    [TestCase(429)]
    [TestCase(500)]
    public async Task An_upstreams_error_has_its_status(int status)
    {
        ClientResultException error = await FailsAsync(Client(("Status", status)).GetChatClient(Model).CompleteChatAsync(new UserChatMessage("x")));
        Assert.That(error.Status, Is.EqualTo(status));
        if (status == 429) Assert.That(error.GetRawResponse()!.Headers.TryGetValue("Retry-After", out string? after) ? after : null, Is.EqualTo("1"));
    }

    /// <summary>As the package writes what it read of <c>error</c>.</summary>
    private static string Told(int status, string type, string code, string message) => $"HTTP {status} ({type}: {code})\n\n{message}";

    private static async Task<ClientResultException> FailsAsync<T>(Task<T> call)
    {
        try
        {
            await call;
        }
        catch (ClientResultException e)
        {
            return e;
        }
        throw new AssertionException("the call succeeded");
    }

    /// <summary>The client as a program makes it, but for what tells the mock how to answer.</summary>
    private OpenAIClient Client(params (string Name, int Value)[] mocked) => new(new ApiKeyCredential(_token), Options(mocked));

    private OpenAIClientOptions Options(params (string Name, int Value)[] mocked)
    {
        OpenAIClientOptions options = new()
        {
            Endpoint = new Uri($"{_turbo.Origin()}/v1"),
            Transport = new HttpClientPipelineTransport(_http),
            RetryPolicy = new ClientRetryPolicy(maxRetries: 0),
        };
        if (mocked.Length > 0) options.AddPolicy(new MockFields(mocked), PipelinePosition.PerCall);
        return options;
    }

    private sealed class MockFields((string Name, int Value)[] fields) : PipelinePolicy
    {
        public override void Process(PipelineMessage message, IReadOnlyList<PipelinePolicy> pipeline, int currentIndex)
        {
            Add(message);
            ProcessNext(message, pipeline, currentIndex);
        }

        public override ValueTask ProcessAsync(PipelineMessage message, IReadOnlyList<PipelinePolicy> pipeline, int currentIndex)
        {
            Add(message);
            return ProcessNextAsync(message, pipeline, currentIndex);
        }

        private void Add(PipelineMessage message)
        {
            foreach ((string name, int value) in fields) message.Request.Headers.Set($"X-Mock-{name}", $"{value}");
        }
    }
}
