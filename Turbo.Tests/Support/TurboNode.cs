using System.Text;

namespace Turbo.Tests.Support;

/// <summary>A node: the built `turbo` as a process of its own at a free port, and a client of it.</summary>
internal sealed class TurboNode : IDisposable
{
    private const string Listening = " info listening on ";

    private readonly TempFolder _folder;
    private readonly TurboProcess _process;
    private readonly HttpClient _http;

    private TurboNode(TempFolder folder, TurboProcess process, Uri address)
    {
        _folder = folder;
        _process = process;
        _http = new HttpClient(new SocketsHttpHandler { UseProxy = false, UseCookies = false }) { BaseAddress = address, Timeout = TimeSpan.FromSeconds(30) };
    }

    public Uri Address => _http.BaseAddress!;

    public int ProcessId => _process.Id;

    /// <summary>What it has logged so far.</summary>
    public string Log => _process.Out;

    public static Task<TurboNode> StartAsync(params (string Name, string Value)[] environment) => StartAsync(null, environment);

    /// <summary>The same of another native program than the one that is tried, unless it is null.</summary>
    public static async Task<TurboNode> StartAsync(string? program, params (string Name, string Value)[] environment)
    {
        TempFolder folder = new();
        Dictionary<string, string> variables = new() { ["ADDRESS"] = "127.0.0.1:0", ["BCRYPT_COST"] = "4" };
        foreach ((string name, string value) in environment) variables[name] = value;
        TurboProcess process = program is null ? TurboProcess.Start(folder.Path, variables, "serve") : TurboProcess.StartProgram(program, folder.Path, variables, "serve");
        try
        {
            string line = await process.LineAsync(Listening);
            return new TurboNode(folder, process, new Uri(line[(line.IndexOf(Listening, StringComparison.Ordinal) + Listening.Length)..].Trim()));
        }
        catch
        {
            process.Dispose();
            folder.Dispose();
            throw;
        }
    }

    public async Task<Reply> FormAsync(string target, string form, string? token = null)
    {
        using HttpRequestMessage request = new(HttpMethod.Post, target) { Content = new StringContent(form, Encoding.UTF8, "application/x-www-form-urlencoded") };
        return await SendAsync(request, token);
    }

    public async Task<Reply> GetAsync(string target, string? token = null)
    {
        using HttpRequestMessage request = new(HttpMethod.Get, target);
        return await SendAsync(request, token);
    }

    /// <summary>A response whose head alone is there yet; the caller's to dispose of.</summary>
    public Task<HttpResponseMessage> OpenAsync(string target, string token)
    {
        HttpRequestMessage request = new(HttpMethod.Get, target);
        request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {token}");
        return _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
    }

    /// <summary>Waits until it says that it can serve.</summary>
    public async Task ReadyAsync()
    {
        while ((await GetAsync("/readyz")).Status != 200) await Task.Delay(10);
    }

    /// <summary>Asks it to stop; it must do so in order.</summary>
    public async Task StopAsync()
    {
        _process.Signal("TERM");
        Assert.That(await _process.ExitAsync(), Is.Zero);
        Assert.That(_process.Error, Is.Empty);
    }

    public void Dispose()
    {
        _http.Dispose();
        _process.Dispose();
        _folder.Dispose();
    }

    private async Task<Reply> SendAsync(HttpRequestMessage request, string? token)
    {
        if (token is not null) request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {token}");
        HttpResponseMessage message = await _http.SendAsync(request);
        return new Reply((int)message.StatusCode, message, await message.Content.ReadAsStringAsync());
    }
}
