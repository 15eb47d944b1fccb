using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Turbo.Net;

namespace Turbo.Server.Mock;

/// <summary>Answers one request to the mock.</summary>
internal delegate ValueTask MockHandler(MockCall call);

/// <summary>One request to the mock: what it asks for, and the ways to answer. Kept with the exchange object and used again.</summary>
internal sealed class MockCall
{
    private static readonly JsonWriterOptions s_json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly ArrayBufferWriter<byte> _buffer = new();
    private readonly Utf8JsonWriter _json;

    private MockCall(MockServer mock, Exchange exchange)
    {
        Mock = mock;
        Exchange = exchange;
        _json = new Utf8JsonWriter(_buffer, s_json);
    }

    public MockServer Mock { get; }

    public Exchange Exchange { get; }

    public MockOptions Options => Mock.Options;

    public Pacing Pacing { get; set; }

    /// <summary>The number of this request: what ids are made of.</summary>
    public long Number { get; set; }

    /// <summary>Seconds since 1970, as OpenAI dates things.</summary>
    public long Now => Options.TimeProvider.GetUtcNow().ToUnixTimeSeconds();

    /// <summary>Whether this side broke the response off, as asked.</summary>
    public bool IsBrokenOff { get; private set; }

    public static MockCall Of(MockServer mock, Exchange exchange)
    {
        if (exchange.ApplicationState is not MockCall call) exchange.ApplicationState = call = new MockCall(mock, exchange);
        call.Pacing = default;
        call.IsBrokenOff = false;
        return call;
    }

    /// <summary>
    /// A JSON request's whole content, after the delay asked for; false when it was refused, which the server answers.
    /// </summary>
    public async ValueTask<BodyContent> ReadContentAsync()
    {
        Exchange.Body.MaxBytes = Options.MaxJsonBytes;
        BodyContent content = await Exchange.Body.ReadAllAsync().ConfigureAwait(false);
        if (!content.IsComplete) return content;
        Options.Observe?.Invoke(Exchange, content.Bytes);
        await DelayAsync().ConfigureAwait(false);
        return content;
    }

    /// <summary>Waits before the first byte, as asked. The request's content must have been read.</summary>
    public ValueTask DelayAsync() => Pacing.Delay == TimeSpan.Zero
        ? default
        // An upgrade hands the input over: nothing may watch it then.
        : new ValueTask(Task.Delay(Pacing.Delay, Options.TimeProvider, Exchange.Fields.Has(KnownField.Upgrade) ? CancellationToken.None : Exchange.Aborted));

    /// <summary>Begins a JSON value, for <see cref="SendJson"/>. Preceded by nothing, or by <paramref name="prefix"/>.</summary>
    public Utf8JsonWriter BeginJson(ReadOnlySpan<byte> prefix = default)
    {
        _buffer.ResetWrittenCount();
        _buffer.Write(prefix);
        _json.Reset();
        return _json;
    }

    /// <summary>What was written since <see cref="BeginJson"/>, then <paramref name="suffix"/>.</summary>
    public ReadOnlySpan<byte> EndJson(ReadOnlySpan<byte> suffix = default)
    {
        _json.Flush();
        _buffer.Write(suffix);
        return _buffer.WrittenSpan;
    }

    /// <summary>Bytes of the JSON value flushed so far.</summary>
    public int JsonBytes => _buffer.WrittenCount;

    /// <summary>Sends what is written of a long value, the first time with the head; the value goes on.</summary>
    public ValueTask SendJsonPieceAsync()
    {
        ResponseWriter response = Exchange.Response;
        if (!response.HasStarted)
        {
            response.Start(200);
            response.Field("Content-Type"u8, "application/json"u8);
            response.EndHeadChunked();
        }
        response.Write(EndJson());
        _buffer.ResetWrittenCount();
        return FlushAsync();
    }

    /// <summary>Answers 200 with the value begun by <see cref="BeginJson"/>.</summary>
    public void SendJson() => Exchange.Response.Send(200, "application/json"u8, EndJson());

    /// <summary>Writes content and sends it now.</summary>
    /// <exception cref="OperationCanceledException">The client has left.</exception>
    public async ValueTask FlushAsync()
    {
        if (!await Exchange.Response.FlushAsync().ConfigureAwait(false)) throw new OperationCanceledException("the client has left");
    }

    /// <summary>Resets the connection in the middle of the response.</summary>
    public void BreakOff()
    {
        IsBrokenOff = true;
        Exchange.Abort();
        throw new OperationCanceledException("broken off as asked");
    }

    /// <summary>Answers with an error in OpenAI's shape.</summary>
    public void SendError(MockErrorException error, ReadOnlySpan<byte> allow = default)
    {
        Utf8JsonWriter json = BeginJson();
        json.WriteStartObject();
        json.WriteStartObject("error"u8);
        json.WriteString("message"u8, error.Message);
        json.WriteString("type"u8, error.Type);
        json.WriteString("param"u8, error.Param);
        json.WriteString("code"u8, error.Code);
        json.WriteEndObject();
        json.WriteEndObject();
        ReadOnlySpan<byte> content = EndJson();

        ResponseWriter response = Exchange.Response;
        response.Start(error.Status);
        response.Field("Content-Type"u8, "application/json"u8);
        if (!allow.IsEmpty) response.Field("Allow"u8, allow);
        if (error.Status == 429) response.Field("Retry-After"u8, 1);
        response.EndHead(content.Length);
        response.Write(content);
    }
}
