using System.Text.Json;
using Turbo.Net;

namespace Turbo.Server.Mock;

/// <summary>POST /v1/audio/speech gives bytes by a formula; POST /v1/audio/transcriptions counts those it gets.</summary>
internal static class Audio
{
    private const long DefaultBytes = 64 * 1024;
    private const int PieceBytes = 16 * 1024;

    /// <summary>The audio's byte at an offset: no two 256-byte rows within 4 GiB follow one another alike, so lost or swapped pieces show.</summary>
    public static byte ByteAt(long offset) => (byte)(offset * 31 + (offset >> 8) * 17 + (offset >> 16) * 7 + (offset >> 24));

    public static async ValueTask SpeakAsync(MockCall call)
    {
        BodyContent content = await call.ReadContentAsync().ConfigureAwait(false);
        if (!content.IsComplete) return;
        SpeechRequest request = MockJson.Read<SpeechRequest>(content.Bytes.Span, SpeechRequest.Read);

        Exchange exchange = call.Exchange;
        long bytes = call.Pacing.Bytes ?? DefaultBytes;
        ResponseWriter response = exchange.Response;
        response.Start(200);
        response.Field("Content-Type"u8, request.ContentType);
        response.EndHead(bytes);
        byte[] piece = new byte[PieceBytes];
        TimeSpan interval = call.Pacing.Interval ?? TimeSpan.Zero;
        for (long at = 0; at < bytes;)
        {
            if (at > 0 && interval > TimeSpan.Zero) await Task.Delay(interval, call.Options.TimeProvider, exchange.Aborted).ConfigureAwait(false);
            int take = (int)Math.Min(PieceBytes, bytes - at);
            for (int i = 0; i < take; i++) piece[i] = ByteAt(at + i);
            response.Write(piece.AsSpan(0, take));
            at += take;
            await call.FlushAsync().ConfigureAwait(false);
        }
    }

    public static async ValueTask TranscribeAsync(MockCall call)
    {
        if (await FormUpload.ReadAsync(call, keptBytes: 0).ConfigureAwait(false) is not { } upload) return;
        if (upload.FileName is null) throw MockJson.Missing("file");
        if (!upload.Fields.ContainsKey("model")) throw MockErrorException.Invalid("you must provide a model parameter", "model");
        string text = $"Audio of {upload.Bytes} bytes in {upload.FileName}.";
        if (upload.Fields.GetValueOrDefault("response_format") == "text")
        {
            call.Exchange.Response.Send(200, "text/plain; charset=utf-8"u8, System.Text.Encoding.UTF8.GetBytes(text + "\n"));
            return;
        }
        Utf8JsonWriter json = call.BeginJson();
        json.WriteStartObject();
        json.WriteString("text"u8, text);
        json.WriteEndObject();
        call.SendJson();
    }

    private sealed class SpeechRequest
    {
        private string? _model;
        private string? _input;
        private string? _voice;
        private string _format = "mp3";

        public ReadOnlySpan<byte> ContentType => _format switch
        {
            "mp3" => "audio/mpeg"u8,
            "opus" => "audio/opus"u8,
            "aac" => "audio/aac"u8,
            "flac" => "audio/flac"u8,
            "wav" => "audio/wav"u8,
            _ => "audio/pcm"u8,
        };

        public static SpeechRequest Read(ref Utf8JsonReader reader)
        {
            SpeechRequest request = new();
            while (MockJson.NextField(ref reader))
            {
                if (reader.ValueTextEquals("model"u8)) request._model = MockJson.Text(ref reader, "model");
                else if (reader.ValueTextEquals("input"u8)) request._input = MockJson.Text(ref reader, "input");
                else if (reader.ValueTextEquals("voice"u8)) request._voice = MockJson.Text(ref reader, "voice");
                else if (reader.ValueTextEquals("response_format"u8)) request._format = MockJson.Text(ref reader, "response_format") ?? "mp3";
                else MockJson.Skip(ref reader);
            }
            if (string.IsNullOrEmpty(request._model)) throw MockErrorException.Invalid("you must provide a model parameter", "model");
            if (request._input is null) throw MockJson.Missing("input");
            if (request._voice is null) throw MockJson.Missing("voice");
            if (request._format is not ("mp3" or "opus" or "aac" or "flac" or "wav" or "pcm"))
                throw MockErrorException.Invalid("Invalid value for 'response_format': expected mp3, opus, aac, flac, wav or pcm.", "response_format", "invalid_value");
            return request;
        }
    }
}
