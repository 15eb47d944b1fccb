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

    /// <summary>The PostgreSQL dump, as SQL.</summary>
    public static string PostgresDump => File.ReadAllText(Path.Combine(Folder, "go-turbo.pg.sql"));

    public static Person Read(string name, DatabaseKind kind = DatabaseKind.Sqlite)
    {
        using JsonDocument document = Facts(kind);
        JsonElement person = document.RootElement.GetProperty(name);
        return new Person(Text("username"), Text("password"), Text("token"), Text("id"), Text("personal_group"));

        string Text(string field) => person.GetProperty(field).GetString()!;
    }

    /// <summary>The id of <c>group</c>, <c>chat</c> or <c>deleted_chat</c>.</summary>
    public static string Id(string name, DatabaseKind kind = DatabaseKind.Sqlite)
    {
        using JsonDocument document = Facts(kind);
        return document.RootElement.GetProperty(name).GetString()!;
    }

    private static JsonDocument Facts(DatabaseKind kind) => JsonDocument.Parse(
        File.ReadAllBytes(Path.Combine(Folder, kind == DatabaseKind.Sqlite ? "go-turbo.json" : "go-turbo.pg.json")));
}
