using System.Collections.Frozen;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.TopicLogs;

/// <summary>What a feature hears of the database beside topics, from the first moment on that the node listens.</summary>
/// <param name="Name">The channel, as SQL has it.</param>
/// <param name="Heard">Is given the payload, which is untrusted; must only enqueue.</param>
internal sealed record ListenedChannel(string Name, Action<string> Heard);

/// <summary>
/// Hears what applications publish by <c>realtime.publish</c>, as soon as their transactions have committed. On a connection of
/// its own, which is probed, since a dead one says nothing.
/// </summary>
internal sealed partial class PostgresListener(NpgsqlDataSource dataSource, IEnumerable<ListenedChannel> channels, TimeProvider time, ILogger<PostgresListener> logger) : BackgroundService
{
    /// <summary>Where the SQL function says so.</summary>
    public const string Channel = "realtime_events";

    private const string AccessChannel = "realtime_access";

    /// <summary>Where a trigger says that tenants have changed.</summary>
    public const string TenantsChannel = "realtime_tenants";

    /// <summary>Where nodes tell each other of signals.</summary>
    public const string SignalsChannel = "realtime_signals";

    private const int ProbeTimeoutSeconds = 2;

    private static readonly TimeSpan ProbeInterval = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan ConnectTime = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan FirstRetry = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LastRetry = TimeSpan.FromSeconds(2);

    private readonly FrozenDictionary<string, Action<string>> _channels = channels.ToFrozenDictionary(static channel => channel.Name, static channel => channel.Heard, StringComparer.Ordinal);
    private volatile bool _isListening;

    /// <summary>Something was published to a topic. Handlers must only enqueue.</summary>
    public event Action<TopicKey>? Published;

    /// <summary>Who may do what has changed; the text says where. Handlers must only enqueue.</summary>
    public event Action<string>? AccessChanged;

    /// <summary>The table of tenants has changed. Handlers must only enqueue.</summary>
    public event Action? TenantsChanged;

    /// <summary>A node has told something of signals. Handlers must only enqueue.</summary>
    public event Action<string>? SignalsTold;

    /// <summary>It listens from now on, and does not know what it has missed. Handlers must only enqueue.</summary>
    public event Action? Restored;

    /// <summary>Whether it would hear; as long as it does not, somebody has to look.</summary>
    public bool IsListening => _isListening;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await Task.Yield();
        var retry = FirstRetry;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await ListenAsync(() => retry = FirstRetry, stoppingToken);
            }
            // Nobody above could do better: it is logged and tried again.
#pragma warning disable CA1031
            catch (Exception exception) when (!stoppingToken.IsCancellationRequested)
#pragma warning restore CA1031
            {
                LogLost(exception.Message);
            }
            catch (OperationCanceledException)
            {
                // The node stops.
            }
            finally
            {
                _isListening = false;
            }

            await Task.Delay(retry, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            retry = TimeSpan.FromTicks(Math.Min(retry.Ticks * 2, LastRetry.Ticks));
        }
    }

    /// <summary>Listens until the connection breaks.</summary>
    private async Task ListenAsync(Action listening, CancellationToken stoppingToken)
    {
        await using var connection = await OpenAsync(stoppingToken);
        connection.Notification += (_, notification) => Hear(notification.Channel, notification.Payload);
        await ExecuteAsync(connection, string.Join("; ", _channels.Keys.Prepend(SignalsChannel).Prepend(TenantsChannel).Prepend(AccessChannel).Prepend(Channel).Select(channel => $"listen {channel}")), stoppingToken);
        _isListening = true;
        listening();
        LogListening();
        Restored?.Invoke();
        while (true)
        {
            if (!await connection.WaitAsync(ProbeInterval, stoppingToken))
            {
                await ExecuteAsync(connection, "select 1", stoppingToken);
            }
        }
    }

    private async Task<NpgsqlConnection> OpenAsync(CancellationToken stoppingToken)
    {
        using var limit = new CancellationTokenSource(ConnectTime, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stoppingToken);
        return await dataSource.OpenConnectionAsync(either.Token);
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = ProbeTimeoutSeconds };
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>Whoever may connect to the database may notify, so the payload is untrusted: <c>tenant/topic</c>.</summary>
    private void Hear(string channel, string payload)
    {
        if (channel == AccessChannel)
        {
            AccessChanged?.Invoke(payload);
            return;
        }

        if (channel == SignalsChannel)
        {
            SignalsTold?.Invoke(payload);
            return;
        }

        if (channel == TenantsChannel)
        {
            TenantsChanged?.Invoke();
            return;
        }

        if (_channels.TryGetValue(channel, out var heard))
        {
            heard(payload);
            return;
        }

        var slash = payload.IndexOf('/', StringComparison.Ordinal);
        if (slash > 0 && TopicName.TryParse(payload[(slash + 1)..], out var topic))
        {
            Published?.Invoke(new TopicKey(payload[..slash], topic));
        }
    }

    [LoggerMessage(EventId = 1111, Level = LogLevel.Information, Message = "Listening for what applications publish in SQL")]
    private partial void LogListening();

    [LoggerMessage(EventId = 1112, Level = LogLevel.Warning, Message = "Not listening for what applications publish in SQL; feeds look for it instead: {Reason}")]
    private partial void LogLost(string reason);
}
