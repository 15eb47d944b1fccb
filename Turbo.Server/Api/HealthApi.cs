using System.Buffers;
using Turbo.Net;

namespace Turbo.Server.Api;

/// <summary><c>/healthz</c>: the process answers. <c>/readyz</c>: it can do its work.</summary>
internal sealed class HealthApi(AppHost app)
{
    // A load balancer that waits longer has given up on the instance by itself.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(2);

    private readonly Lock _gate = new();
    private Task _check = Task.CompletedTask;

    public static ValueTask Alive(RequestContext context)
    {
        context.Content.Write("""{"status":"ok"}"""u8);
        context.Send();
        return default;
    }

    public async ValueTask ReadyAsync(RequestContext context)
    {
        if (app.IsDraining)
        {
            context.Fail(new ApiError(503, "shutting down", Code: "draining"));
            return;
        }
        try
        {
            await Check().WaitAsync(s_patience, app.Time);
        }
        catch (Exception e) when (e is Storage.StorageException or Redis.RedisUnavailableException or TimeoutException)
        {
            app.Log.Warn($"not ready: {e.Message}");
            context.Fail(new ApiError(503, e is Redis.RedisUnavailableException ? "Redis does not answer" : "the database does not answer", Code: "unavailable"));
            return;
        }
        context.Content.Write("""{"status":"ready"}"""u8);
        context.Send();
    }

    // One check at a time, for all who ask: a database that hangs does not collect them.
    private Task Check()
    {
        lock (_gate)
        {
            if (_check.IsCompleted) _check = CheckAllAsync();
            return _check;
        }
    }

    private async Task CheckAllAsync()
    {
        await app.Db.CheckAsync();
        await app.Backplane.CheckAsync();
    }
}
