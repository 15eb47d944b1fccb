using System.Buffers;
using System.Globalization;
using System.Text;

namespace Turbo.Server.Storage.Rows;

/// <summary>The SQL of an application's tables, the same for both databases but for the form of a placeholder.</summary>
internal static class RowSql
{
    private const int MaxIdentifier = 63;

    // What neither a comparison nor a call needs, and one of the databases would read in a way of its own: ends of statements,
    // other placeholders, other quotes, casts.
    private static readonly SearchValues<char> s_foreign = SearchValues.Create(";:@$#`[]{}\\\0");

    // Turbo's own tables, which an application reads through Turbo alone.
    private static readonly string[] s_own =
        ["users", "sessions", "groups", "group_members", "user_groups", "chats", "chat_users", "messages", "events", "prompts"];

    public static void CheckTable(string name)
    {
        CheckIdentifier(name);
        if (s_own.Contains(name, StringComparer.Ordinal) || name.StartsWith("turbo_", StringComparison.Ordinal) || name.StartsWith("sqlite_", StringComparison.Ordinal) || name.StartsWith("pg_", StringComparison.Ordinal))
            throw new ArgumentException($"{name} is a table of Turbo's or of the database's own", nameof(name));
    }

    public static void CheckIdentifier(string name)
    {
        bool isGood = name.Length is > 0 and <= MaxIdentifier && name[0] is (>= 'a' and <= 'z') or '_';
        foreach (char c in name) isGood &= c is (>= 'a' and <= 'z') or (>= '0' and <= '9') or '_';
        if (!isGood) throw new ArgumentException($"'{name}' is no name of small letters, digits and '_', 63 at most", nameof(name));
    }

    public static string Insert(TableShape table) =>
        $"INSERT INTO \"{table.Name}\" ({Names(table)}) VALUES ({string.Join(", ", table.Columns.Select(static _ => "?"))})";

    public static string Save(TableShape table) =>
        $"{Insert(table)} ON CONFLICT (\"{table.Key.Name}\") DO {(table.Columns.Count == 1 ? "NOTHING" : "UPDATE SET " + string.Join(", ", table.Columns.Skip(1).Select(static column => $"\"{column.Name}\" = excluded.\"{column.Name}\"")))}";

    /// <summary>Its values are the columns after the key, then the key.</summary>
    public static string Update(TableShape table)
    {
        string set = table.Columns.Count == 1 ? $"\"{table.Key.Name}\" = \"{table.Key.Name}\"" : string.Join(", ", table.Columns.Skip(1).Select(static column => $"\"{column.Name}\" = ?"));
        return $"UPDATE \"{table.Name}\" SET {set} WHERE \"{table.Key.Name}\" = ?";
    }

    public static string Delete(TableShape table, string? condition) => $"DELETE FROM \"{table.Name}\"{Where(condition)}";

    public static string Count(TableShape table, string? condition) => $"SELECT count(*) FROM \"{table.Name}\"{Where(condition)}";

    /// <summary>Its last value is how many rows at most: a number in the text would make a statement of its own for each.</summary>
    public static string Select(TableShape table, string? condition, string? order) =>
        $"SELECT {Names(table)} FROM \"{table.Name}\"{Where(condition)} ORDER BY {Order(table, order)} LIMIT ?";

    /// <summary>The condition that one row's key is the value.</summary>
    public static string HasKey(TableShape table) => $"\"{table.Key.Name}\" = ?";

    /// <summary>
    /// Throws <see cref="ArgumentException"/> for a condition that is more than one, whose quotes or parentheses do not end,
    /// or that has not a '?' for each value.
    /// </summary>
    public static void CheckCondition(string condition, int values)
    {
        int found = 0, depth = 0;
        for (int i = 0; i < condition.Length; i++)
        {
            char c = condition[i], next = i + 1 < condition.Length ? condition[i + 1] : ' ';
            switch (c)
            {
                case '\'' or '"':
                    // A letter before it would give its content a meaning that is PostgreSQL's alone.
                    if (i > 0 && (char.IsLetterOrDigit(condition[i - 1]) || condition[i - 1] is '_' or '&')) throw Bad(condition, "a quote follows a word");
                    i = condition.IndexOf(c, i + 1);
                    if (i < 0) throw Bad(condition, "a quote does not end");
                    // Doubled it stands for itself.
                    if (i + 1 < condition.Length && condition[i + 1] == c) i = EndOfDoubled(condition, i, c);
                    break;
                case '?':
                    if (char.IsAsciiDigit(next)) throw Bad(condition, "a '?' has no number");
                    found++;
                    break;
                case '-' when next == '-':
                case '/' when next == '*':
                    throw Bad(condition, "it has a comment");
                case '(':
                    depth++;
                    break;
                case ')' when --depth < 0:
                    throw Bad(condition, "a ')' has no '('");
                default:
                    if (s_foreign.Contains(c)) throw Bad(condition, $"it has '{c}'");
                    break;
            }
        }
        if (depth > 0) throw Bad(condition, "a '(' does not end");
        if (string.IsNullOrWhiteSpace(condition)) throw Bad(condition, "it is empty");
        if (found != values) throw Bad(condition, $"it has {found} '?' for {values} values");
    }

    /// <summary>The statement with $1, $2 … in place of each '?' outside of quotes.</summary>
    public static string Numbered(string sql)
    {
        StringBuilder numbered = new(sql.Length + 16);
        int count = 0;
        char quote = '\0';
        foreach (char c in sql)
        {
            if (quote != '\0')
            {
                if (c == quote) quote = '\0';
            }
            else if (c is '\'' or '"')
            {
                quote = c;
            }
            else if (c == '?')
            {
                numbered.Append('$').Append(++count);
                continue;
            }
            numbered.Append(c);
        }
        return numbered.ToString();
    }

    /// <summary>
    /// A name that no other column's index has, though names of indexes are the whole schema's, and PostgreSQL cuts them: as
    /// much of table and column as has room, and a hash of both.
    /// </summary>
    public static string IndexName(TableShape table, ColumnShape column)
    {
        // FNV-1a. It must never change: a migration finds an index by its name.
        ulong hash = 14695981039346656037;
        foreach (char c in $"{table.Name}.{column.Name}") hash = (hash ^ c) * 1099511628211;
        string readable = $"{table.Name}_{column.Name}";
        return string.Create(CultureInfo.InvariantCulture, $"{readable[..Math.Min(readable.Length, MaxIdentifier - 21)]}_{hash:x16}_{(column.Index == ColumnIndex.Unique ? "key" : "idx")}");
    }

    public static string CreateIndex(TableShape table, ColumnShape column) =>
        $"CREATE {(column.Index == ColumnIndex.Unique ? "UNIQUE " : "")}INDEX IF NOT EXISTS \"{IndexName(table, column)}\" ON \"{table.Name}\" (\"{column.Name}\")";

    public static StorageException OtherType(TableShape table, ColumnShape column, string actual, string wanted) =>
        new(StorageFailure.Failed, $"the column {table.Name}.{column.Name} is {actual} in the database, and {wanted} in the application: a migration adds columns, and changes none");

    private static string Names(TableShape table) => string.Join(", ", table.Columns.Select(static column => $"\"{column.Name}\""));

    private static string Where(string? condition) => condition is null ? "" : " WHERE " + condition;

    // The same on both: NULL comes before all else, and the key settles what is equal.
    private static string Order(TableShape table, string? order)
    {
        StringBuilder sql = new();
        foreach (string part in (order ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            string[] words = part.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            bool isDescending = words.Length == 2 && words[1].Equals("DESC", StringComparison.OrdinalIgnoreCase);
            bool isGood = words.Length == 1 || (words.Length == 2 && (isDescending || words[1].Equals("ASC", StringComparison.OrdinalIgnoreCase)));
            if (!isGood || !table.Columns.Any(column => column.Name == words[0])) throw new ArgumentException($"'{part}' is no column of {table.Name}, with ASC or DESC", nameof(order));
            sql.Append('"').Append(words[0]).Append(isDescending ? "\" DESC NULLS LAST, " : "\" ASC NULLS FIRST, ");
        }
        return sql.Append('"').Append(table.Key.Name).Append('"').ToString();
    }

    private static int EndOfDoubled(string condition, int at, char quote)
    {
        while (at + 1 < condition.Length && condition[at + 1] == quote)
        {
            at = condition.IndexOf(quote, at + 2);
            if (at < 0) throw Bad(condition, "a quote does not end");
        }
        return at;
    }

    private static ArgumentException Bad(string condition, string why) => new($"{why}, in the condition \"{condition}\"");
}
