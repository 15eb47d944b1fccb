using System.Globalization;
using System.Text.Json;

namespace Turbo.Tests.Allocation.Operations;

/// <summary>A line of Turbo.Bench/allocations.json: an operation, and the bytes that it may allocate once it is warm.</summary>
internal sealed record AllocationLimit(string Operation, double MaxBytes)
{
    private static readonly Dictionary<string, Func<double, double>> s_operations = new()
    {
        ["exchange, plaintext"] = static _ => Exchanges.Plaintext(),
        ["exchange, JSON"] = static _ => Exchanges.Json(),
        ["exchange, 16 pipelined"] = static _ => Exchanges.Pipelined(),
        ["request head"] = static _ => Readers.RequestHead(),
        ["response head"] = static _ => Readers.ResponseHead(),
        ["chunked body"] = static _ => Readers.ChunkedBody(),
        ["form"] = static _ => Readers.Form(),
        ["JSON fields"] = static _ => Readers.Json(),
        ["WebSocket frame"] = static _ => Readers.WebSocketFrame(),
        ["WebSocket echo"] = static _ => WebSocketEcho.Measure(1, 64, false),
        ["WebSocket echo, 16 in a read"] = static _ => WebSocketEcho.Measure(16, 64, false),
        ["WebSocket echo, 20 KB"] = static _ => WebSocketEcho.Measure(1, 20_000, false),
        ["WebSocket echo, compressed"] = static _ => WebSocketEcho.Measure(1, 64, true),
        ["WebSocket echo, 20 KB compressed"] = static _ => WebSocketEcho.Measure(1, 20_000, true),
        ["proxied GET"] = static enough => ProxiedExchange.Measure("GET /v1/models", "", false, enough),
        ["proxied chat completion"] = static enough => ProxiedExchange.Measure("POST /v1/chat/completions", """{"model":"gpt-4o","messages":[{"role":"user","content":"hello"}]}""", false, enough),
        ["proxied chat completion, streamed"] = static enough => ProxiedExchange.Measure("POST /v1/chat/completions", """{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"hello"}]}""", true, enough),
    };

    /// <summary>The file's lines. Every operation has one, and every line an operation.</summary>
    /// <exception cref="InvalidDataException">It is not so.</exception>
    public static List<AllocationLimit> Read(string json)
    {
        List<AllocationLimit> limits = [.. JsonSerializer.Deserialize<Dictionary<string, double>>(json)!.Select(static line => new AllocationLimit(line.Key, line.Value))];
        string[] unknown = [.. limits.Select(static limit => limit.Operation).Except(s_operations.Keys)], missing = [.. s_operations.Keys.Except(limits.Select(static limit => limit.Operation))];
        return unknown.Length + missing.Length == 0 ? limits : throw new InvalidDataException($"allocations.json: no such operation: {string.Join("; ", unknown)}. No limit: {string.Join("; ", missing)}.");
    }

    /// <summary>Bytes that one operation allocates.</summary>
    public double Measure() => s_operations[Operation](MaxBytes);

    /// <summary>Which limit was exceeded and by how much; null when it was kept.</summary>
    public string? Exceeded(double bytes) =>
        bytes <= MaxBytes ? null : string.Create(CultureInfo.InvariantCulture, $"{Operation}: {bytes:0.##} bytes an operation, {bytes - MaxBytes:0.##} over the {MaxBytes} of Turbo.Bench/allocations.json");

    public override string ToString() => Operation;
}
