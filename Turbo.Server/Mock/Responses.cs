using System.Text.Json;
using Turbo.Net;

namespace Turbo.Server.Mock;

/// <summary>
/// POST /v1/responses, whole or as events: response.created, response.in_progress, response.output_item.added,
/// response.content_part.added, response.output_text.delta (one a word), response.output_text.done,
/// response.content_part.done, response.output_item.done, response.completed (or response.incomplete).
/// </summary>
internal static class Responses
{
    private enum Status { InProgress, Completed, Incomplete }

    public static async ValueTask AnswerAsync(MockCall call)
    {
        BodyContent content = await call.ReadContentAsync().ConfigureAwait(false);
        if (!content.IsComplete) return;
        PromptRequest request = MockJson.Read<PromptRequest>(content.Bytes.Span, PromptRequest.ReadResponse);
        Answer answer = new(request, new MockReply(request, call.Pacing), call.Number, call.Now);
        if (request.IsStream)
        {
            await StreamAsync(call, answer).ConfigureAwait(false);
            return;
        }
        answer.WriteResponse(call.BeginJson(), answer.EndStatus);
        call.SendJson();
    }

    private static async ValueTask StreamAsync(MockCall call, Answer answer)
    {
        using EventStream events = new(call);
        Sequence sequence = new(events, answer);
        await sequence.ResponseAsync("response.created", Status.InProgress).ConfigureAwait(false);
        await sequence.ResponseAsync("response.in_progress", Status.InProgress).ConfigureAwait(false);
        await sequence.ItemAsync("response.output_item.added", Status.InProgress).ConfigureAwait(false);
        await sequence.PartAsync("response.content_part.added", "").ConfigureAwait(false);
        foreach (ReadOnlyMemory<char> word in answer.Reply.Words())
        {
            await events.PaceAsync().ConfigureAwait(false);
            await sequence.TextAsync("response.output_text.delta", "delta", word).ConfigureAwait(false);
        }
        await sequence.TextAsync("response.output_text.done", "text", answer.Text.AsMemory()).ConfigureAwait(false);
        await sequence.PartAsync("response.content_part.done", answer.Text).ConfigureAwait(false);
        await sequence.ItemAsync("response.output_item.done", answer.EndStatus).ConfigureAwait(false);
        await sequence.ResponseAsync(answer.EndStatus == Status.Completed ? "response.completed" : "response.incomplete", answer.EndStatus).ConfigureAwait(false);
    }

    /// <summary>The events of one response, numbered.</summary>
    private sealed class Sequence(EventStream events, Answer answer)
    {
        private int _number;

        public ValueTask ResponseAsync(string type, Status status)
        {
            Utf8JsonWriter json = Begin(type);
            json.WritePropertyName("response"u8);
            answer.WriteResponse(json, status);
            return EndAsync(json);
        }

        public ValueTask ItemAsync(string type, Status status)
        {
            Utf8JsonWriter json = Begin(type);
            json.WriteNumber("output_index"u8, 0);
            json.WritePropertyName("item"u8);
            answer.WriteItem(json, status);
            return EndAsync(json);
        }

        public ValueTask PartAsync(string type, string text)
        {
            Utf8JsonWriter json = BeginOfPart(type);
            json.WritePropertyName("part"u8);
            Answer.WritePart(json, text);
            return EndAsync(json);
        }

        public ValueTask TextAsync(string type, string field, ReadOnlyMemory<char> text)
        {
            Utf8JsonWriter json = BeginOfPart(type);
            json.WriteString(field, text.Span);
            json.WriteStartArray("logprobs"u8);
            json.WriteEndArray();
            return EndAsync(json);
        }

        private Utf8JsonWriter BeginOfPart(string type)
        {
            Utf8JsonWriter json = Begin(type);
            json.WriteString("item_id"u8, answer.ItemId);
            json.WriteNumber("output_index"u8, 0);
            json.WriteNumber("content_index"u8, 0);
            return json;
        }

        private Utf8JsonWriter Begin(string type)
        {
            Utf8JsonWriter json = events.Begin(type);
            json.WriteStartObject();
            json.WriteString("type"u8, type);
            json.WriteNumber("sequence_number"u8, _number++);
            return json;
        }

        private ValueTask EndAsync(Utf8JsonWriter json)
        {
            json.WriteEndObject();
            return events.SendAsync();
        }
    }

    private sealed class Answer(PromptRequest request, MockReply reply, long number, long created)
    {
        public MockReply Reply => reply;

        public string Text { get; } = reply.Text();

        public string ItemId { get; } = $"msg_mock_{number}";

        public Status EndStatus => reply.IsCut ? Status.Incomplete : Status.Completed;

        public void WriteResponse(Utf8JsonWriter json, Status status)
        {
            json.WriteStartObject();
            json.WriteString("id"u8, $"resp_mock_{number}");
            json.WriteString("object"u8, "response"u8);
            json.WriteNumber("created_at"u8, created);
            json.WriteString("status"u8, Name(status));
            json.WriteNull("error"u8);
            if (status == Status.Incomplete)
            {
                json.WriteStartObject("incomplete_details"u8);
                json.WriteString("reason"u8, "max_output_tokens"u8);
                json.WriteEndObject();
            }
            else
            {
                json.WriteNull("incomplete_details"u8);
            }
            json.WriteNull("instructions"u8);
            json.WriteString("model"u8, request.Model);
            json.WriteStartArray("output"u8);
            if (status != Status.InProgress) WriteItem(json, status);
            json.WriteEndArray();
            json.WriteBoolean("parallel_tool_calls"u8, true);
            json.WriteNull("previous_response_id"u8);
            json.WriteNumber("temperature"u8, 1);
            json.WriteString("tool_choice"u8, "auto"u8);
            json.WriteStartArray("tools"u8);
            json.WriteEndArray();
            json.WriteNumber("top_p"u8, 1);
            if (status == Status.InProgress) json.WriteNull("usage"u8);
            else WriteUsage(json);
            json.WriteStartObject("metadata"u8);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        public void WriteItem(Utf8JsonWriter json, Status status)
        {
            json.WriteStartObject();
            json.WriteString("id"u8, ItemId);
            json.WriteString("type"u8, "message"u8);
            json.WriteString("status"u8, Name(status));
            json.WriteString("role"u8, "assistant"u8);
            json.WriteStartArray("content"u8);
            if (status != Status.InProgress) WritePart(json, Text);
            json.WriteEndArray();
            json.WriteEndObject();
        }

        public static void WritePart(Utf8JsonWriter json, string text)
        {
            json.WriteStartObject();
            json.WriteString("type"u8, "output_text"u8);
            json.WriteString("text"u8, text);
            json.WriteStartArray("annotations"u8);
            json.WriteEndArray();
            json.WriteStartArray("logprobs"u8);
            json.WriteEndArray();
            json.WriteEndObject();
        }

        private void WriteUsage(Utf8JsonWriter json)
        {
            json.WriteStartObject("usage"u8);
            json.WriteNumber("input_tokens"u8, request.PromptTokens);
            json.WriteStartObject("input_tokens_details"u8);
            json.WriteNumber("cached_tokens"u8, 0);
            json.WriteEndObject();
            json.WriteNumber("output_tokens"u8, reply.Tokens);
            json.WriteStartObject("output_tokens_details"u8);
            json.WriteNumber("reasoning_tokens"u8, 0);
            json.WriteEndObject();
            json.WriteNumber("total_tokens"u8, request.PromptTokens + reply.Tokens);
            json.WriteEndObject();
        }

        private static ReadOnlySpan<byte> Name(Status status) => status switch
        {
            Status.InProgress => "in_progress"u8,
            Status.Completed => "completed"u8,
            _ => "incomplete"u8,
        };
    }
}
