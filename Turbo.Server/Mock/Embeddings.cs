using System.Buffers.Binary;
using System.Text.Json;
using Turbo.Net;

namespace Turbo.Server.Mock;

/// <summary>POST /v1/embeddings: for each input a vector of length one that depends on the input alone.</summary>
internal static class Embeddings
{
    private const int MaxInputs = 2048;
    private const int MaxDimensions = 4096;
    private const int DefaultDimensions = 1536;

    // Beyond this the response is sent as it is made.
    private const int HeldBytes = 64 * 1024;

    private readonly record struct Input(ulong Seed, int Tokens);

    public static async ValueTask AnswerAsync(MockCall call)
    {
        BodyContent content = await call.ReadContentAsync().ConfigureAwait(false);
        if (!content.IsComplete) return;
        Request request = MockJson.Read<Request>(content.Bytes.Span, Request.Read);

        Utf8JsonWriter json = call.BeginJson();
        json.WriteStartObject();
        json.WriteString("object"u8, "list"u8);
        json.WriteStartArray("data"u8);
        byte[] vector = new byte[request.Dimensions * sizeof(float)];
        int tokens = 0;
        for (int i = 0; i < request.Inputs.Count; i++)
        {
            tokens += request.Inputs[i].Tokens;
            Fill(vector, request.Inputs[i].Seed);
            WriteEmbedding(json, i, vector, request.IsBase64);
            json.Flush();
            if (call.JsonBytes > HeldBytes) await call.SendJsonPieceAsync().ConfigureAwait(false);
        }
        json.WriteEndArray();
        json.WriteString("model"u8, request.Model);
        json.WriteStartObject("usage"u8);
        json.WriteNumber("prompt_tokens"u8, tokens);
        json.WriteNumber("total_tokens"u8, tokens);
        json.WriteEndObject();
        json.WriteEndObject();
        if (call.Exchange.Response.HasStarted) await call.SendJsonPieceAsync().ConfigureAwait(false);
        else call.SendJson();
    }

    private static void WriteEmbedding(Utf8JsonWriter json, int index, ReadOnlySpan<byte> vector, bool isBase64)
    {
        json.WriteStartObject();
        json.WriteString("object"u8, "embedding"u8);
        json.WriteNumber("index"u8, index);
        if (isBase64)
        {
            json.WriteBase64String("embedding"u8, vector);
        }
        else
        {
            json.WriteStartArray("embedding"u8);
            for (; !vector.IsEmpty; vector = vector[sizeof(float)..]) json.WriteNumberValue(BinaryPrimitives.ReadSingleLittleEndian(vector));
            json.WriteEndArray();
        }
        json.WriteEndObject();
    }

    /// <summary>Floats from -1 to 1 by splitmix64, then scaled to length one; little-endian, as base64 carries them.</summary>
    private static void Fill(Span<byte> vector, ulong seed)
    {
        double squares = 0;
        for (int at = 0; at < vector.Length; at += sizeof(float))
        {
            seed += 0x9E3779B97F4A7C15;
            ulong z = seed;
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
            z ^= z >> 31;
            float value = (float)((z >> 40) / (double)(1 << 23) - 1);
            squares += value * (double)value;
            BinaryPrimitives.WriteSingleLittleEndian(vector[at..], value);
        }
        double length = Math.Sqrt(squares);
        if (length == 0) return;
        for (int at = 0; at < vector.Length; at += sizeof(float))
        {
            float value = BinaryPrimitives.ReadSingleLittleEndian(vector[at..]);
            BinaryPrimitives.WriteSingleLittleEndian(vector[at..], (float)(value / length));
        }
    }

    private sealed class Request
    {
        // FNV-1a
        private const ulong Basis = 14695981039346656037;
        private const ulong Prime = 1099511628211;

        public string Model { get; private set; } = "";

        public List<Input> Inputs { get; } = [];

        public int Dimensions { get; private set; } = DefaultDimensions;

        public bool IsBase64 { get; private set; }

        public static Request Read(ref Utf8JsonReader reader)
        {
            Request request = new();
            while (MockJson.NextField(ref reader))
            {
                if (reader.ValueTextEquals("model"u8)) request.Model = MockJson.Text(ref reader, "model") ?? "";
                else if (reader.ValueTextEquals("input"u8)) request.ReadInput(ref reader);
                else if (reader.ValueTextEquals("dimensions"u8)) request.Dimensions = MockJson.Number(ref reader, "dimensions", 1, MaxDimensions) ?? DefaultDimensions;
                else if (reader.ValueTextEquals("encoding_format"u8)) request.IsBase64 = IsBase64Format(MockJson.Text(ref reader, "encoding_format"));
                else MockJson.Skip(ref reader);
            }
            if (request.Model.Length == 0) throw MockErrorException.Invalid("you must provide a model parameter", "model");
            if (request.Inputs.Count == 0) throw MockJson.Missing("input");
            return request;
        }

        private static bool IsBase64Format(string? format) => format switch
        {
            "base64" => true,
            null or "float" => false,
            _ => throw MockErrorException.Invalid("Invalid value for 'encoding_format': expected 'float' or 'base64'.", "encoding_format", "invalid_value"),
        };

        // A text, texts, one text's tokens, or several texts' tokens.
        private void ReadInput(ref Utf8JsonReader reader)
        {
            Inputs.Clear();
            reader.Read();
            if (reader.TokenType == JsonTokenType.String)
            {
                Add(OfText(ref reader));
                return;
            }
            if (reader.TokenType != JsonTokenType.StartArray) throw WrongInput();
            Input tokens = new(Basis, 0);
            while (MockJson.NextElement(ref reader))
            {
                switch (reader.TokenType)
                {
                    case JsonTokenType.String: Add(OfText(ref reader)); break;
                    case JsonTokenType.StartArray: Add(OfTokens(ref reader)); break;
                    default: tokens = With(tokens, ref reader); break;
                }
                if (tokens.Tokens > 0 && Inputs.Count > 0) throw WrongInput();
            }
            if (tokens.Tokens > 0) Add(tokens);
        }

        private void Add(Input input)
        {
            if (Inputs.Count == MaxInputs) throw MockErrorException.Invalid($"Invalid 'input': at most {MaxInputs} inputs.", "input", "invalid_value");
            Inputs.Add(input);
        }

        private static Input OfText(ref Utf8JsonReader reader)
        {
            string text = reader.GetString()!;
            ulong hash = Basis;
            foreach (char c in text) hash = (hash ^ c) * Prime;
            return new Input(hash, Words.Count(text));
        }

        private static Input OfTokens(ref Utf8JsonReader reader)
        {
            Input input = new(Basis, 0);
            while (MockJson.NextElement(ref reader)) input = With(input, ref reader);
            return input.Tokens > 0 ? input : throw WrongInput();
        }

        private static Input With(Input input, ref Utf8JsonReader reader)
        {
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetUInt32(out uint token)) throw WrongInput();
            return new Input((input.Seed ^ token) * Prime, input.Tokens + 1);
        }

        private static MockErrorException WrongInput() => MockJson.WrongType("input", "a string, an array of strings or arrays of tokens");
    }
}
