using System.Text;
using System.Text.RegularExpressions;
using Turbo.Server.Mock;
using Turbo.Tests.Support;

namespace Turbo.Tests.Examples;

/// <summary>New projects outside the tree, with nothing but the packages, run what the README shows.</summary>
[TestFixture]
internal sealed partial class PackageTests
{
    [GeneratedRegex(@"^```csharp\n(?<code>.*?)^```\n", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Blocks();

    private static string Code(string section)
    {
        string readme = Repository.Read("README.md");
        int start = readme.IndexOf($"## {section}\n", StringComparison.Ordinal);
        return Blocks().Match(readme, start).Groups["code"].Value;
    }

    [Test]
    public void The_README_shows_the_example_that_is_run() => Assert.That(Code("Embed Turbo.Net"), Is.EqualTo(Repository.Read("examples/hello/Program.cs")));

    [Test]
    public async Task The_packages_are_all_that_a_new_project_needs()
    {
        using TempFolder folder = new();
        string configuration = Path.GetFileName(Path.GetDirectoryName(AppContext.BaseDirectory.TrimEnd('/')))!;
        await Task.WhenAll(((string[])["Turbo.Net", "Turbo.Server"]).Select(project =>
            DotnetAsync(folder, "pack", Path.Combine(Repository.Root, project), "-c", configuration, "--no-build", "-v", "q", "-o", folder.File("feed"))));
        Assert.That(Directory.GetFiles(folder.File("feed")).Select(Path.GetExtension).Order(), Is.EqualTo((string[])[".nupkg", ".nupkg", ".snupkg", ".snupkg"]));

        // What else they need is in the cache that this build was made from; the packages themselves are not to be.
        string cache = Environment.GetEnvironmentVariable("NUGET_PACKAGES") ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget/packages");
        await File.WriteAllTextAsync(folder.File("nuget.config"), $"""
            <configuration>
              <packageSources><clear /><add key="feed" value="feed" /></packageSources>
              <fallbackPackageFolders><clear /><add key="cache" value="{cache}" /></fallbackPackageFolders>
            </configuration>
            """);
        await WriteAsync(folder, "embedding", "Turbo.Net", Code("Embed Turbo.Net"));
        await WriteAsync(folder, "notes", "Turbo.Server", Code("Build an app on it"));
        await File.WriteAllTextAsync(folder.File("both.slnx"), """<Solution><Project Path="embedding/embedding.csproj" /><Project Path="notes/notes.csproj" /></Solution>""");
        await DotnetAsync(folder, "build", "both.slnx", "-c", "Release", "-v", "q", "-p:TreatWarningsAsErrors=true", $"-p:RestorePackagesPath={folder.File("packages")}");

        using HttpClient http = new(new SocketsHttpHandler { UseProxy = false });
        using (ExampleProcess embedding = await ExampleProcess.StartAsync(folder.File("embedding/bin/Release/net10.0/embedding.dll"), folder.Path, [], "0"))
            Assert.That(await http.GetStringAsync($"http://{embedding.EndPoint}/hello/you"), Is.EqualTo("Hello, you!\n"));

        await using MockServer mock = new();
        mock.Start();
        using ExampleProcess notes = await ExampleProcess.StartAsync(
            folder.File("notes/bin/Release/net10.0/notes.dll"), folder.Path, new() { ["ADDRESS"] = "127.0.0.1:0", ["OPENAI_API_URL"] = $"http://{mock.EndPoints[0]}", ["BCRYPT_COST"] = "4" });
        string origin = $"http://{notes.EndPoint}";
        Assert.That(await http.GetStringAsync(origin), Is.EqualTo("Hello, stranger!\n"));
        string signedUp = await PostAsync(http, $"{origin}/user/signup", "username=ann&password=correct+horse");
        http.DefaultRequestHeaders.Add("Authorization", "Bearer " + Regex.Match(signedUp, "\"Token\":\"([^\"]+)\"").Groups[1].Value);
        Assert.That(await http.GetStringAsync(origin), Is.EqualTo("Hello, ann!\n"));
        string id = (await PostAsync(http, $"{origin}/notes", "text=buy+milk")).Trim('"');
        Assert.That(await http.GetStringAsync($"{origin}/notes/{id}/summary"), Does.StartWith("data: ").And.EndWith("\n\n"));
    }

    private static async Task WriteAsync(TempFolder folder, string name, string package, string code)
    {
        Directory.CreateDirectory(folder.File(name));
        await File.WriteAllTextAsync(folder.File($"{name}/Program.cs"), code);
        await File.WriteAllTextAsync(folder.File($"{name}/{name}.csproj"), $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <OutputType>Exe</OutputType>
                <TargetFramework>net10.0</TargetFramework>
                <ImplicitUsings>enable</ImplicitUsings>
                <Nullable>enable</Nullable>
              </PropertyGroup>
              <ItemGroup><PackageReference Include="{package}" Version="*" /></ItemGroup>
            </Project>
            """);
    }

    private static async Task<string> PostAsync(HttpClient http, string uri, string form)
    {
        using HttpResponseMessage response = await http.PostAsync(uri, new StringContent(form, Encoding.UTF8, "application/x-www-form-urlencoded"));
        return await response.Content.ReadAsStringAsync();
    }

    private static async Task DotnetAsync(TempFolder folder, params string[] args)
    {
        Dictionary<string, string> environment = new() { ["DOTNET_CLI_TELEMETRY_OPTOUT"] = "1", ["DOTNET_NOLOGO"] = "1", ["MSBUILDDISABLENODEREUSE"] = "1" };
        using TurboProcess process = TurboProcess.StartProgram("dotnet", folder.Path, environment, args);
        Assert.That(await process.ExitAsync(), Is.EqualTo(0), $"dotnet {string.Join(' ', args)}\n{process.Out}\n{process.Error}");
    }
}
