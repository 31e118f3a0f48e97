using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Data.Common;
using System.Threading.Channels;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Server.Features.Chat;

/// <summary>What moderators have said of a room.</summary>
/// <param name="SlowSeconds">How long a member waits between two messages; 0: not at all.</param>
/// <param name="Mutes">Who may not write, and until when.</param>
internal sealed record RoomRules(int SlowSeconds, FrozenDictionary<string, DateTimeOffset> Mutes);

/// <summary>
/// The rules of the rooms that have any, in memory: a message in any other room waits for nothing. Read when the node starts and whenever
/// something may have been missed, and else for the room that the database tells of. Until they can be read there are none.
/// </summary>
internal sealed partial class ChatRules(NpgsqlDataSource dataSource, PostgresListener listener, TimeProvider time, ILogger<ChatRules> logger) : BackgroundService
{
    /// <summary>Where triggers say that a room's rules have changed.</summary>
    public const string Channel = "realtime_chat";

    private const string Read = """
        select tenant, topic, slow_seconds, null, null from realtime.chat_rooms where slow_seconds > 0 and ($1 is null or tenant = $1 and topic = $2)
        union all
        select tenant, topic, 0, user_id, until from realtime.chat_mutes where until > now() and ($1 is null or tenant = $1 and topic = $2)
        """;

    private static readonly TimeSpan Retry = TimeSpan.FromMilliseconds(500);

    private readonly ConcurrentDictionary<TopicKey, RoomRules> _rules = new();

    private readonly SemaphoreSlim _reading = new(1);

    // Null: all.
    private readonly Channel<TopicKey?> _changes = System.Threading.Channels.Channel.CreateUnbounded<TopicKey?>(new() { SingleReader = true });

    /// <summary>Null: nothing holds for this room.</summary>
    public RoomRules? Find(TopicKey topic) => _rules.IsEmpty ? null : _rules.GetValueOrDefault(topic);

    /// <summary>What was changed by this node counts here from now on.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task LearnAsync(TopicKey topic, CancellationToken cancellationToken)
    {
        try
        {
            await ReadAsync(topic, cancellationToken);
        }
        catch (DbException exception)
        {
            throw new RealtimeException(ErrorCode.LogUnavailable, ErrorCode.LogUnavailable.Sentence, exception);
        }
    }

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        listener.Restored += HearAll;
        HearAll();
        return base.StartAsync(cancellationToken);
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        listener.Restored -= HearAll;
        await base.StopAsync(cancellationToken);
    }

    public override void Dispose()
    {
        _reading.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            while (true)
            {
                await ApplyAsync(await _changes.Reader.ReadAsync(stoppingToken), stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The node stops.
        }
    }

    /// <summary>Whoever may connect to the database may notify: the text only says what to read.</summary>
    public void Hear(string payload)
    {
        var slash = payload.IndexOf('/', StringComparison.Ordinal);
        _changes.Writer.TryWrite(slash > 0 && TopicName.TryParse(payload[(slash + 1)..], out var topic) ? new TopicKey(payload[..slash], topic) : null);
    }

    private void HearAll() => _changes.Writer.TryWrite(null);

    private async Task ApplyAsync(TopicKey? topic, CancellationToken stoppingToken)
    {
        try
        {
            await ReadAsync(topic, stoppingToken);
        }
        catch (DbException exception)
        {
            LogUnread(exception.Message);
            await Task.Delay(Retry, time, stoppingToken);
            HearAll();
        }
    }

    /// <summary>One read after the other: what an earlier one has found never replaces what a later one has.</summary>
    private async Task ReadAsync(TopicKey? topic, CancellationToken cancellationToken)
    {
        await _reading.WaitAsync(cancellationToken);
        try
        {
            await ReadInTurnAsync(topic, cancellationToken);
        }
        finally
        {
            _reading.Release();
        }
    }

    private async Task ReadInTurnAsync(TopicKey? topic, CancellationToken cancellationToken)
    {
        var slow = new Dictionary<TopicKey, int>();
        var mutes = new Dictionary<TopicKey, Dictionary<string, DateTimeOffset>>();
        await using var command = dataSource.CreateCommand(Read);
        command.Parameters.Add(new NpgsqlParameter<string?> { TypedValue = topic?.Tenant });
        command.Parameters.Add(new NpgsqlParameter<string?> { TypedValue = topic?.Name.Value });
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            var key = new TopicKey(reader.GetString(0), TopicName.Parse(reader.GetString(1)));
            slow[key] = Math.Max(slow.GetValueOrDefault(key), reader.GetInt32(2));
            if (!await reader.IsDBNullAsync(3, cancellationToken))
            {
                (mutes.TryGetValue(key, out var users) ? users : mutes[key] = new(StringComparer.Ordinal))[reader.GetString(3)] = reader.GetFieldValue<DateTimeOffset>(4);
            }
        }

        foreach (var (key, seconds) in slow)
        {
            _rules[key] = new RoomRules(seconds, (mutes.GetValueOrDefault(key) ?? []).ToFrozenDictionary(StringComparer.Ordinal));
        }

        foreach (var gone in (topic is { } one ? [one] : _rules.Keys).Where(key => !slow.ContainsKey(key)))
        {
            _rules.TryRemove(gone, out _);
        }
    }

    [LoggerMessage(EventId = 1752, Level = LogLevel.Warning, Message = "The rules of rooms cannot be read, and are tried again: {Reason}")]
    private partial void LogUnread(string reason);
}
