using Turbo.Tests.Support;

namespace Turbo.Tests.OpenAiClient;

/// <summary>Runs check.mjs, which is the unmodified openai package from npm against a server.</summary>
internal static class OpenAiClientRun
{
    /// <summary>The checks in the order they run. A test holds this list to what check.mjs really reports.</summary>
    public static readonly string[] Checks =
    [
        "models_list", "chat", "chat_streamed", "chat_stream_helper", "completion",
        "stream_aborted", "silent_stream_aborted", "waiting_request_aborted",
        "responses", "responses_streamed", "embeddings", "file_upload", "transcription", "audio_bytes",
        "error_401", "error_404", "error_429", "error_500", "broken_stream",
    ];

    /// <summary>Results by check, in the order they ran.</summary>
    /// <param name="baseUrl">The API's base, with /v1.</param>
    /// <param name="token">The key the client is given.</param>
    /// <param name="mock">The mock upstream, whose counters the checks look at.</param>
    public static Task<OrderedDictionary<string, CheckResult>> RunAsync(Uri baseUrl, string token, Uri mock) =>
        NodeChecks.RunAsync("OpenAiClient", "openai", ("BASE_URL", baseUrl.ToString()), ("TOKEN", token), ("MOCK_URL", mock.ToString()));
}
