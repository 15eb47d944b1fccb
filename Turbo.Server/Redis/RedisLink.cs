using StackExchange.Redis;

namespace Turbo.Server.Redis;

/// <summary>Redis cannot be reached, or refuses: the start fails with it, later calls do while it lasts.</summary>
internal sealed class RedisUnavailableException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>The connection to Redis that cache and event bus share. Once made it comes back by itself after an outage.</summary>
internal sealed class RedisLink : IAsyncDisposable
{
    /// <summary>What every key and channel begins with, so that one Redis can serve others too.</summary>
    public const string Prefix = "turbo:";

    /// <summary>For connecting, and for each command's answer.</summary>
    private const int TimeoutMilliseconds = 5000;

    private readonly ConnectionMultiplexer _connection;

    private RedisLink(ConnectionMultiplexer connection) => _connection = connection;

    public IDatabase Database => _connection.GetDatabase();

    public ISubscriber Subscriber => _connection.GetSubscriber();

    public ConnectionMultiplexer Connection => _connection;

    /// <exception cref="RedisUnavailableException">Not within five seconds, or not with that password.</exception>
    public static async Task<RedisLink> ConnectAsync(RedisAddress address)
    {
        ConfigurationOptions options = new()
        {
            EndPoints = { { address.Host, address.Port } },
            User = address.User,
            Password = address.Password,
            DefaultDatabase = address.Database,
            Ssl = address.IsTls,
            SslHost = address.IsTls ? address.Host : null,
            ConnectTimeout = TimeoutMilliseconds,
            AsyncTimeout = TimeoutMilliseconds,
            SyncTimeout = TimeoutMilliseconds,
            // A command that finds no connection fails at once: its caller answers 503 rather than waiting for one.
            BacklogPolicy = BacklogPolicy.FailFast,
            ReconnectRetryPolicy = new LinearRetry(500),
            ClientName = "turbo",
        };
        try
        {
            ConnectionMultiplexer connection = await ConnectionMultiplexer.ConnectAsync(options);
            RedisLink link = new(connection);
            await link.CheckAsync();
            return link;
        }
        catch (RedisException e)
        {
            throw new RedisUnavailableException(e is RedisConnectionException { FailureType: ConnectionFailureType.AuthenticationFailure }
                ? "the user or password is refused" : "cannot be reached", e);
        }
    }

    /// <summary>Completes when Redis answers.</summary>
    public async Task CheckAsync()
    {
        try
        {
            await Database.PingAsync();
        }
        catch (Exception e) when (IsOutage(e))
        {
            throw new RedisUnavailableException("Redis does not answer", e);
        }
    }

    public static bool IsOutage(Exception e) => e is RedisException or TimeoutException or ObjectDisposedException;

    public ValueTask DisposeAsync() => _connection.DisposeAsync();
}
