namespace Turbo.Server.Admin;

/// <summary>backup.</summary>
internal static class BackupCommands
{
    public static AdminEntry[] Entries =>
    [
        new("backup", ["PATH"], [], "copies the SQLite database into a new file, beside a running server too; PostgreSQL has pg_dump for that",
            "path, bytes", BackUpAsync),
    ];

    private static async Task BackUpAsync(AdminSession session)
    {
        if (session.Db is not Storage.Sqlite.SqliteDb sqlite) throw AdminException.Failed("the database is PostgreSQL, which pg_dump copies");
        string path = session.Word(0);
        try
        {
            session.Output.Row(("path", path), ("bytes", await sqlite.BackUpAsync(path)));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            throw AdminException.Failed($"no backup was made: {OptionMask.Printable(e.Message)}");
        }
    }
}
