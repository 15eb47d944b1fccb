using System.Net;
using System.Net.Sockets;
using Turbo.Net;
using Turbo.Server.Cli;

namespace Turbo.Server.Mock;

/// <summary>`turbo mock [ADDRESS]`.</summary>
internal static class MockCommand
{
    private const string DefaultAddress = ":9090";

    private const string Help =
        $"""
        usage: turbo mock [ADDRESS]

        An upstream that speaks OpenAI's API with made-up answers, for trying Turbo and for tests.
        ADDRESS is :PORT, HOST:PORT or [IPV6]:PORT, by default {DefaultAddress}.

        It answers
          GET  /v1/models, /v1/models/ID
          POST /v1/chat/completions, /v1/completions, /v1/responses    whole, or as events with "stream": true
          POST /v1/embeddings
          POST /v1/files; GET /v1/files, /v1/files/ID, /v1/files/ID/content; DELETE /v1/files/ID
          POST /v1/audio/speech, /v1/audio/transcriptions
          GET  /v1/realtime                                            a WebSocket that echoes
          GET  /mock/stats                                             requests, active, cancelled, events, uploaded_bytes

        A reply says how many messages came and repeats the user's last one. A token is a word. Every model
        name is taken, and every key but those that begin with sk-invalid.

        A request's fields say how it is answered:
        {Pacing.Help}

        """;

    public static async Task<int> RunAsync(string[] args)
    {
        if (args is ["help" or "--help" or "-h"])
        {
            Console.Out.Write(Help);
            return ExitCode.Ok;
        }
        string text = args is [var given, ..] ? given : DefaultAddress;
        if (args.Length > 1) return Refuse("takes one ADDRESS");
        if (!ListenAddress.TryParse(text, out ListenAddress address)) return Refuse($"{OptionMask.Printable(text)} is not :PORT, HOST:PORT or [IPV6]:PORT");
        SocketTuning.UseInlineCompletions();
        MockServer mock;
        try
        {
            IPEndPoint[] endPoints = await address.ResolveAsync(CancellationToken.None).ConfigureAwait(false);
            mock = new MockServer(new MockOptions { EndPoints = endPoints });
            mock.Start();
        }
        catch (SocketException error)
        {
            Console.Error.WriteLine($"turbo mock: cannot listen at {address}: {error.Message}");
            return ExitCode.Failed;
        }
        await using (mock.ConfigureAwait(false))
        {
            using StopSignals signals = new();
            Console.Out.WriteLine($"mock upstream at {mock.Address}v1");
            await signals.FirstSignal.ConfigureAwait(false);
            await mock.StopAsync(TimeSpan.FromSeconds(5)).ConfigureAwait(false);
        }
        return ExitCode.Ok;
    }

    private static int Refuse(string reason)
    {
        Console.Error.WriteLine($"turbo mock: {reason}; see turbo mock --help");
        return ExitCode.Usage;
    }
}
