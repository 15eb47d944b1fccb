using System.Text.Json;

namespace Turbo.Tests.Support;

/// <summary>What the Go program wrote, and who its users are.</summary>
internal static class Golden
{
    public sealed record Person(string Username, string Password, string Token, string Id, string PersonalGroup);

    private static string Folder => Path.Combine(AppContext.BaseDirectory, "Golden");

    /// <summary>A copy of the SQLite file that the test may write to.</summary>
    public static string CopyTo(TempFolder folder)
    {
        string copy = folder.File("turbo.db");
        File.WriteAllBytes(copy, File.ReadAllBytes(Path.Combine(Folder, "go-turbo.db")));
        return copy;
    }

    public static Person Read(string name)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder, "go-turbo.json")));
        JsonElement person = document.RootElement.GetProperty(name);
        return new Person(Text("username"), Text("password"), Text("token"), Text("id"), Text("personal_group"));

        string Text(string field) => person.GetProperty(field).GetString()!;
    }

    public static string Id(string name)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder, "go-turbo.json")));
        return document.RootElement.GetProperty(name).GetString()!;
    }
}
