using System.Text.Json;
using Turbo.Net;

namespace Turbo.Server.Mock;

/// <summary>POST /v1/chat/completions and its predecessor /v1/completions, whole or as events.</summary>
internal static class Completions
{
    private enum Piece { Whole, Role, Word, Finish, Usage }

    public static ValueTask ChatAsync(MockCall call) => AnswerAsync(call, isChat: true);

    public static ValueTask TextAsync(MockCall call) => AnswerAsync(call, isChat: false);

    private static async ValueTask AnswerAsync(MockCall call, bool isChat)
    {
        BodyContent content = await call.ReadContentAsync().ConfigureAwait(false);
        if (!content.IsComplete) return;
        PromptRequest request = MockJson.Read<PromptRequest>(content.Bytes.Span, isChat ? PromptRequest.ReadChat : PromptRequest.ReadCompletion);
        Answer answer = new(request, new MockReply(request, call.Pacing), isChat, $"{(isChat ? "chatcmpl" : "cmpl")}-mock-{call.Number}", call.Now);
        if (request.IsStream)
        {
            await StreamAsync(call, answer).ConfigureAwait(false);
            return;
        }
        answer.Write(call.BeginJson(), Piece.Whole, answer.Reply.Text());
        call.SendJson();
    }

    private static async ValueTask StreamAsync(MockCall call, Answer answer)
    {
        using EventStream events = new(call);
        if (answer.IsChat)
        {
            answer.Write(events.Begin(), Piece.Role, default);
            await events.SendAsync().ConfigureAwait(false);
        }
        foreach (ReadOnlyMemory<char> word in answer.Reply.Words())
        {
            await events.PaceAsync().ConfigureAwait(false);
            answer.Write(events.Begin(), Piece.Word, word.Span);
            await events.SendAsync().ConfigureAwait(false);
        }
        answer.Write(events.Begin(), Piece.Finish, default);
        await events.SendAsync().ConfigureAwait(false);
        if (answer.Request.IncludesUsage)
        {
            answer.Write(events.Begin(), Piece.Usage, default);
            await events.SendAsync().ConfigureAwait(false);
        }
        await events.SendDoneAsync().ConfigureAwait(false);
    }

    private sealed record Answer(PromptRequest Request, MockReply Reply, bool IsChat, string Id, long Created)
    {
        private bool IsStream => Request.IsStream;

        public void Write(Utf8JsonWriter json, Piece piece, ReadOnlySpan<char> text)
        {
            json.WriteStartObject();
            json.WriteString("id"u8, Id);
            json.WriteString("object"u8, !IsChat ? "text_completion" : IsStream ? "chat.completion.chunk" : "chat.completion");
            json.WriteNumber("created"u8, Created);
            json.WriteString("model"u8, Request.Model);
            json.WriteString("system_fingerprint"u8, "fp_mock"u8);
            json.WriteStartArray("choices"u8);
            if (piece != Piece.Usage) WriteChoice(json, piece, text);
            json.WriteEndArray();
            if (piece is Piece.Whole or Piece.Usage) WriteUsage(json);
            else if (Request.IncludesUsage) json.WriteNull("usage"u8);
            json.WriteEndObject();
        }

        private void WriteChoice(Utf8JsonWriter json, Piece piece, ReadOnlySpan<char> text)
        {
            json.WriteStartObject();
            json.WriteNumber("index"u8, 0);
            if (IsChat)
            {
                json.WriteStartObject(IsStream ? "delta"u8 : "message"u8);
                if (piece is Piece.Whole or Piece.Role) json.WriteString("role"u8, "assistant"u8);
                if (piece != Piece.Finish) json.WriteString("content"u8, text);
                if (piece is Piece.Whole or Piece.Role) json.WriteNull("refusal"u8);
                json.WriteEndObject();
            }
            else
            {
                json.WriteString("text"u8, text);
            }
            json.WriteNull("logprobs"u8);
            json.WriteString("finish_reason"u8, piece is Piece.Whole or Piece.Finish ? Reply.FinishReason : null);
            json.WriteEndObject();
        }

        private void WriteUsage(Utf8JsonWriter json)
        {
            json.WriteStartObject("usage"u8);
            json.WriteNumber("prompt_tokens"u8, Request.PromptTokens);
            json.WriteNumber("completion_tokens"u8, Reply.Tokens);
            json.WriteNumber("total_tokens"u8, Request.PromptTokens + Reply.Tokens);
            json.WriteEndObject();
        }
    }
}
