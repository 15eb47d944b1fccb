using System.Globalization;

namespace Turbo.Server;

/// <summary>Where the database is: <see cref="SqliteAddress"/> or <see cref="PostgresAddress"/>.</summary>
internal abstract record DbAddress
{
    public static bool TryParse(string text, out DbAddress address)
    {
        address = null!;
        const string sqlite = "sqlite:";
        if (text.StartsWith(sqlite, StringComparison.Ordinal))
        {
            string path = text[sqlite.Length..];
            // `sqlite://name` would be a host in a URL and the root folder as a path; an in-memory database would be
            // another one on each pooled connection.
            bool looksLikeHost = path.StartsWith("//", StringComparison.Ordinal) && !path.StartsWith("///", StringComparison.Ordinal);
            if (path.Length == 0 || looksLikeHost || path.Contains(":memory:", StringComparison.Ordinal)
                || path.Contains('\0', StringComparison.Ordinal) || path.EndsWith('/')) return false;
            address = new SqliteAddress(path);
            return true;
        }
        if (!PostgresAddress.TryParse(text, out PostgresAddress postgres)) return false;
        address = postgres;
        return true;
    }
}

/// <param name="Path">The file, relative to the working directory or absolute.</param>
internal sealed record SqliteAddress(string Path) : DbAddress
{
    public override string ToString() => "sqlite:" + Path;
}

/// <summary>libpq's levels of TLS, each as <c>sslmode</c> spells it.</summary>
internal enum PostgresTls { Disable, Allow, Prefer, Require, VerifyCa, VerifyFull }

/// <summary><c>postgres://user:password@host:port/db?sslmode=…</c>; what is left out is as libpq has it.</summary>
internal sealed record PostgresAddress : DbAddress
{
    public required string Host { get; init; }
    public required int Port { get; init; }
    public required string User { get; init; }
    public required string? Password { get; init; }
    public required string Database { get; init; }
    public required PostgresTls Tls { get; init; }

    public static bool TryParse(string text, out PostgresAddress address)
    {
        address = null!;
        if (!UrlParts.TryParse(text, out UrlParts url) || url.Scheme is not ("postgres" or "postgresql") || url.Port == 0) return false;
        string database = Uri.UnescapeDataString(url.Path.TrimStart('/'));
        if (database.Contains('/', StringComparison.Ordinal)) return false;
        var tls = PostgresTls.Prefer;
        if (url.Query is { Length: > 0 } query)
        {
            switch (query)
            {
                case "sslmode=disable": tls = PostgresTls.Disable; break;
                case "sslmode=allow": tls = PostgresTls.Allow; break;
                case "sslmode=prefer": tls = PostgresTls.Prefer; break;
                case "sslmode=require": tls = PostgresTls.Require; break;
                case "sslmode=verify-ca": tls = PostgresTls.VerifyCa; break;
                case "sslmode=verify-full": tls = PostgresTls.VerifyFull; break;
                default: return false;
            }
        }
        string user = url.User is { Length: > 0 } given ? given : Environment.UserName;
        address = new PostgresAddress
        {
            Host = url.Host.Length > 0 ? url.Host : "localhost",
            Port = url.Port ?? 5432,
            User = user,
            Password = url.Password,
            Database = database.Length > 0 ? database : user,
            Tls = tls,
        };
        return true;
    }

    /// <summary>Without the password, so that it may be logged.</summary>
    public override string ToString() => $"postgres://{User}@{Host}:{Port}/{Database}";
}

/// <summary><c>redis://[user]:password@host:port/db</c>, or <c>rediss://</c> over TLS.</summary>
internal sealed record RedisAddress
{
    public required bool IsTls { get; init; }
    public required string Host { get; init; }
    public required int Port { get; init; }
    public required string? User { get; init; }
    public required string? Password { get; init; }

    /// <summary>The database's number, 0 where none is given.</summary>
    public required int Database { get; init; }

    public static bool TryParse(string text, out RedisAddress address)
    {
        address = null!;
        if (!UrlParts.TryParse(text, out UrlParts url) || url.Scheme is not ("redis" or "rediss")
            || url.Host.Length == 0 || url.Port == 0 || url.Query is not null) return false;
        int database = 0;
        if (url.Path is { Length: > 1 } path
            && !int.TryParse(path.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture, out database))
            return false;
        address = new RedisAddress
        {
            IsTls = url.Scheme == "rediss",
            Host = url.Host,
            Port = url.Port ?? 6379,
            User = url.User is { Length: > 0 } user ? user : null,
            Password = url.Password,
            Database = database,
        };
        return true;
    }

    /// <summary>Without the password, so that it may be logged.</summary>
    public override string ToString() => $"{(IsTls ? "rediss" : "redis")}://{Host}:{Port}/{Database}";
}
