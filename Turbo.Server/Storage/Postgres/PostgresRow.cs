using Npgsql;

namespace Turbo.Server.Storage.Postgres;

/// <summary>The reader's row.</summary>
internal readonly struct PostgresRow(NpgsqlDataReader row) : IStoredRow
{
    public string Text(int column) => row.Text(column);

    public long Int64(int column) => row.Int64(column);

    public long? Int64OrNull(int column) => row.Int64OrNull(column);

    public DateTime Time(int column) => row.Time(column);
}
