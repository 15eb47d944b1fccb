using Turbo.Net;
using Turbo.Server.Logging;
using Turbo.Server.Mock;

namespace Turbo.Server.Cli;

/// <summary>`turbo serve`: the server, from a checked environment to an orderly stop.</summary>
internal static class ServeCommand
{
    /// <summary>
    /// For all that a start waits for. Names and a database that do not answer give up by themselves, within seconds; the
    /// first start on a large database of the Go program's builds indexes, which takes its time.
    /// </summary>
    private static readonly TimeSpan s_startTimeout = TimeSpan.FromMinutes(15);

    public static async Task<int> RunAsync(string[] args)
    {
        bool withMock = false;
        foreach (string arg in args)
        {
            if (arg != "--mock") return Usage.Refuse($"serve does not know {arg}");
            withMock = true;
        }
        if (!AppOptions.TryRead(Environment.GetEnvironmentVariable, out AppOptions? options, out string? error)) return Fail(error, ExitCode.Usage);
        if (withMock && Environment.GetEnvironmentVariable("OPENAI_API_URL") is { Length: > 0 })
            return Usage.Refuse("serve --mock brings its own upstream: leave OPENAI_API_URL out");

        SocketTuning.UseInlineCompletions();
        using var signals = new StopSignals();
        await using MockServer? mock = withMock ? new MockServer() : null;
        if (mock is not null)
        {
            mock.Start();
            options = options with { Upstream = UpstreamTarget.At(mock.EndPoints[0]) };
        }

        AppHost app;
        try
        {
            app = await AppHost.StartAsync(options).WaitAsync(s_startTimeout, signals.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (StartFailure.Of(e, options) is { } failure)
        {
            return Fail(failure.Line, failure.ExitCode);
        }
        catch (TimeoutException)
        {
            return Fail($"turbo: not started within {s_startTimeout.TotalMinutes} min: the names of ADDRESS or the database of DB_ADDRESS did not answer", ExitCode.Failed);
        }
        catch (OperationCanceledException)
        {
            return ExitCode.Ok;
        }
        await using (app.ConfigureAwait(false))
        {
            app.Log.Info($"turbo {Usage.Version}: database {app.Db.Description}, upstream {options.Upstream}{(withMock ? ", a mock that makes its answers up" : "")}");
            ServiceManager.Ready();
            await signals.FirstSignal.ConfigureAwait(false);
            app.Log.Info("stopping");
            ServiceManager.Stopping();
        }
        return ExitCode.Ok;
    }

    private static int Fail(string line, int code)
    {
        Console.Error.WriteLine(line);
        return code;
    }
}
