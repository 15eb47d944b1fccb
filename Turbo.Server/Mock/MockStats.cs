using System.Text.Json;

namespace Turbo.Server.Mock;

/// <summary>What a <see cref="MockServer"/> has seen, for tests: also GET /mock/stats. Requests of /mock/ itself are not counted.</summary>
internal sealed class MockStats
{
    private long _requests;
    private long _active;
    private long _cancelled;
    private long _events;
    private long _uploaded;

    /// <summary>Requests that reached a route or its absence, ended ones included.</summary>
    public long Requests => Volatile.Read(ref _requests);

    /// <summary>Requests being answered now; an open WebSocket is one.</summary>
    public long Active => Volatile.Read(ref _active);

    /// <summary>Requests whose client left before the end of the request or of the response.</summary>
    public long Cancelled => Volatile.Read(ref _cancelled);

    /// <summary>Server-sent events written.</summary>
    public long Events => Volatile.Read(ref _events);

    /// <summary>Bytes of files received.</summary>
    public long UploadedBytes => Volatile.Read(ref _uploaded);

    public long Begin()
    {
        Interlocked.Increment(ref _active);
        return Interlocked.Increment(ref _requests);
    }

    /// <summary>Cancelled first: who sees no request active sees why.</summary>
    public void End(bool isCancelled)
    {
        if (isCancelled) Interlocked.Increment(ref _cancelled);
        Interlocked.Decrement(ref _active);
    }

    public void AddEvent() => Interlocked.Increment(ref _events);

    public void AddUploaded(int bytes) => Interlocked.Add(ref _uploaded, bytes);

    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteNumber("requests"u8, Requests);
        json.WriteNumber("active"u8, Active);
        json.WriteNumber("cancelled"u8, Cancelled);
        json.WriteNumber("events"u8, Events);
        json.WriteNumber("uploaded_bytes"u8, UploadedBytes);
        json.WriteEndObject();
    }
}
