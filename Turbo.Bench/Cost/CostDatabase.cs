using Microsoft.Data.Sqlite;
using Turbo.Server;
using Turbo.Server.Auth;
using Turbo.Server.Storage;

namespace Turbo.Bench.Cost;

/// <summary>A database filled without the server, since what fills it is not what is measured.</summary>
internal sealed class CostDatabase : IDisposable
{
    private const int HashCost = 4;

    private const string Now = "2026-11-23 10:00:00+00:00";

    private static readonly string s_hash = BCrypt.Net.BCrypt.HashPassword(Password, HashCost);

    private readonly SqliteConnection _connection;

    /// <summary>Makes the tables as a start of Turbo does.</summary>
    public CostDatabase(string folder)
    {
        File = Path.Combine(folder, "turbo.db");
        Open().DisposeAsync().AsTask().Wait();
        _connection = new SqliteConnection($"Data Source={File};Pooling=False");
        _connection.Open();
        Execute("PRAGMA synchronous = OFF");
    }

    public const string Password = "correct horse";

    public string File { get; }

    /// <summary>Opens it as Turbo does.</summary>
    public Db Open() => Db.OpenAsync(new SqliteAddress(File), new DbOptions(), TimeProvider.System).Result;

    public static string UserName(int number) => $"user-{number:D7}";

    public static string Token(int number) => $"bench-token-{number:D32}";

    /// <summary>Users of these numbers, each with a group of its own and a session.</summary>
    public void AddUsers(int first, int count)
    {
        Execute("BEGIN");
        using SqliteCommand user = Command("INSERT INTO users (id, created_at, updated_at, first_name, last_name, username, password) VALUES ($id, $now, $now, 'ann', '', $name, $hash)");
        using SqliteCommand group = Command("INSERT INTO groups (id, created_at, updated_at, name, description, owner_id) VALUES ($id, $now, $now, 'Personal', '', $id)");
        using SqliteCommand member = Command("INSERT INTO group_members (created_at, updated_at, group_id, user_id) VALUES ($now, $now, $id, $id)");
        using SqliteCommand session = Command("INSERT INTO sessions (created_at, updated_at, token, expires_at, username, user_id) VALUES ($now, $now, $token, '2099-01-01 00:00:00+00:00', $name, $id)");
        for (int number = first; number < first + count; number++)
        {
            foreach (SqliteCommand command in (SqliteCommand[])[user, group, member, session])
            {
                command.Parameters.Clear();
                command.Parameters.AddWithValue("$id", Id(number));
                command.Parameters.AddWithValue("$now", Now);
                if (command == user || command == session) command.Parameters.AddWithValue("$name", UserName(number));
                if (command == user) command.Parameters.AddWithValue("$hash", s_hash);
                if (command == session) command.Parameters.AddWithValue("$token", SessionTokens.Stored(Token(number)));
                command.ExecuteNonQuery();
            }
        }
        Execute("COMMIT");
    }

    /// <summary>A chat of a user with so many messages; its id.</summary>
    public string AddChat(int owner, int number, int messages)
    {
        string id = $"{number:D8}-0000-4000-9000-{messages:D12}";
        Execute("BEGIN");
        Execute($"INSERT INTO chats (id, created_at, updated_at, name, llm, user_id, group_id) VALUES ('{id}', '{Now}', '{Now}', 'bench', 'gpt-3', '{Id(owner)}', '{Id(owner)}')");
        Execute($"""
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {messages})
            INSERT INTO messages (id, created_at, updated_at, chat_id, user_id, group_id, prompt, reply, llm, otr)
            SELECT printf('%08d-%012d', {number}, i), strftime('%Y-%m-%d %H:%M:%f+00:00', 1764000000 + i, 'unixepoch'), '{Now}', '{id}', '{Id(owner)}', '{Id(owner)}',
            'What was said before, in a few words, number ' || i, 'And what was answered to that, in a few words more, number ' || i, 'gpt-3', 0 FROM n
            """);
        Execute("COMMIT");
        return id;
    }

    /// <summary>Event rows, oldest first as their ids are, of proxied calls with usage; of a thousand users in turn.</summary>
    /// <param name="from">How many there are already.</param>
    /// <param name="count">How many more.</param>
    /// <param name="bodyBytes">What each keeps of its request and of its response.</param>
    public void AddEvents(int from, int count, int bodyBytes) => Execute($"""
        WITH RECURSIVE n(i) AS (SELECT {from} UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {from + count})
        INSERT INTO events (id, created_at, updated_at, timestamp, client_ip, endpoint, request, response, status, message, duration, method, params, user_id, model, prompt_tokens, completion_tokens, total_tokens, ttfb)
        SELECT printf('%08x-%04x-7000-8000-000000000000', 25690112 + (i >> 12), i & 4095), '{Now}', '{Now}', strftime('%Y-%m-%d %H:%M:%f+00:00', 1764000000 + i, 'unixepoch'), '127.0.0.1', '/v1/chat/completions',
        printf('%{bodyBytes}d', i), printf('%{bodyBytes}d', i), 200, '', 1000000, 'POST', '', printf('%08d-0000-4000-8000-000000000000', i % 1000), 'gpt-4o-mini', 10, 20, 30, 1000 FROM n
        """);

    /// <summary>Lets the next reader find everything in the file itself.</summary>
    public void Settle() => Execute("PRAGMA wal_checkpoint(TRUNCATE)");

    public void Dispose() => _connection.Dispose();

    public static string Id(int number) => $"{number:D8}-0000-4000-8000-000000000000";

    private SqliteCommand Command(string sql)
    {
        SqliteCommand command = _connection.CreateCommand();
        command.CommandText = sql;
        return command;
    }

    private void Execute(string sql)
    {
        using SqliteCommand command = Command(sql);
        command.CommandTimeout = 600;
        command.ExecuteNonQuery();
    }
}
