using Npgsql;
using NpgsqlTypes;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Observability;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Storage;

namespace RealtimeAspire.Server.Pipeline.TopicLogs;

/// <summary>What became of a commit.</summary>
/// <param name="Unplaced">Those to be tried again; the rest is answered.</param>
/// <param name="Blocked">The topics whose rows others hold; not empty only if nothing was stored.</param>
internal readonly record struct CommitResult(IReadOnlyList<PendingAppend> Unplaced, IReadOnlySet<TopicKey> Blocked);

/// <summary>
/// One connection with its prepared append, opened when it is needed, in a role that cannot read what it has written. One call at
/// a time; after an exception it has to be closed, since what is on the connection is unknown.
/// </summary>
/// <param name="dataSource">The database.</param>
/// <param name="catalog">The policies of the topic types.</param>
/// <param name="tracing">The spans.</param>
/// <param name="time">Limits the time to connect.</param>
/// <param name="lockTimeout">How long it waits for a topic's row, at most 2 s.</param>
internal sealed class PostgresAppendSession(
    NpgsqlDataSource dataSource, TopicCatalog catalog, RealtimeTracing tracing, TimeProvider time, TimeSpan lockTimeout)
{
    private const int CommandTimeoutSeconds = 4;

    // The plan made while the day's partition is empty would be a scan, and would stay: with the
    // planner's defaults a batch costs five times as much after midnight. No statement runs longer than 2 s.
    private const string Settings = $"""
        set role {DatabaseRoles.Appender};
        set jit = off; set plan_cache_mode = force_generic_plan; set enable_seqscan = off; set enable_mergejoin = off;
        set statement_timeout = '2s'; set idle_in_transaction_session_timeout = '2s';
        """;

    // By itself it locks nothing for longer than it takes.
    private const string FindFree = "select topic_id from realtime.topics where topic_id = any($1) for update skip locked";

    private static readonly TimeSpan ConnectTime = TimeSpan.FromSeconds(4);
    private static readonly IReadOnlySet<TopicKey> NoTopics = new HashSet<TopicKey>();

    private readonly PostgresTopicIds _topicIds = new(time);
    private NpgsqlConnection? _connection;
    private PostgresAppendCommand? _command;

    /// <summary>One round trip; with new topics or blocked ones, some more.</summary>
    public async Task<CommitResult> CommitAsync(IReadOnlyList<PendingAppend> part)
    {
        var batch = new AppendBatch(part);
        using var activity = tracing.StartAppend(batch.Leaders);
        var command = _command ?? await OpenAsync();
        try
        {
            var (ids, refused) = await _topicIds.ResolveAsync(_connection!, batch.Leaders.Select(leader => leader.Append.Topic), CancellationToken.None);
            if (refused.Count > 0)
            {
                return new CommitResult(Refuse(part, refused), NoTopics);
            }

            var beingMade = batch.Leaders.Select(leader => leader.Append.Topic).Where(topic => !ids.ContainsKey(topic)).ToHashSet();
            if (beingMade.Count > 0)
            {
                return new CommitResult(part, beingMade);
            }

            var topicIds = batch.Leaders.Select(leader => ids[leader.Append.Topic]).ToArray();
            return new CommitResult(Answer(batch, await command.ExecuteAsync(batch.Leaders, topicIds, CancellationToken.None)), NoTopics);
        }
        // Its transaction was rolled back, and the connection is as it was.
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.LockNotAvailable)
        {
            return new CommitResult(part, await FindBlockedAsync(part.Select(pending => pending.Append.Topic).ToHashSet()));
        }
    }

    /// <summary>Those of the topics whose rows others hold at this moment, or are about to make.</summary>
    public async Task<IReadOnlySet<TopicKey>> FindBlockedAsync(IReadOnlySet<TopicKey> topics)
    {
        if (_command is null)
        {
            await OpenAsync();
        }

        var (ids, refused) = await _topicIds.ResolveAsync(_connection!, topics, CancellationToken.None);
        await using var command = new NpgsqlCommand(FindFree, _connection)
        {
            CommandTimeout = CommandTimeoutSeconds,
            Parameters = { new NpgsqlParameter { Value = ids.Values.ToArray(), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Bigint } },
        };
        var free = new HashSet<long>();
        await using var reader = await command.ExecuteReaderAsync(CancellationToken.None);
        while (await reader.ReadAsync(CancellationToken.None))
        {
            free.Add(reader.GetInt64(0));
        }

        // What is refused waits for nobody.
        return topics.Where(topic => !refused.Contains(topic) && (!ids.TryGetValue(topic, out var id) || !free.Contains(id))).ToHashSet();
    }

    public async Task CloseAsync()
    {
        var (command, connection) = (_command, _connection);
        (_command, _connection) = (null, null);
        if (command is not null)
        {
            await command.DisposeAsync();
        }

        if (connection is not null)
        {
            await connection.DisposeAsync();
        }
    }

    /// <summary>Fails the publishes that would make topics which their tenants may not have, and returns the others.</summary>
    private static List<PendingAppend> Refuse(IReadOnlyList<PendingAppend> part, IReadOnlySet<TopicKey> refused)
    {
        List<PendingAppend> others = [];
        foreach (var pending in part)
        {
            if (refused.Contains(pending.Append.Topic))
            {
                pending.Fail(new RealtimeException(ErrorCode.QuotaExceeded, "The tenant has as many topics as it may have."));
            }
            else
            {
                others.Add(pending);
            }
        }

        return others;
    }

    /// <summary>Returns the publishes to be tried again: their topic's row was gone, or their leader stands for another event.</summary>
    private List<PendingAppend> Answer(AppendBatch batch, Placement?[] placements)
    {
        List<PendingAppend> unplaced = [];
        for (var i = 0; i < placements.Length; i++)
        {
            var leader = batch.Leaders[i];
            switch (placements[i])
            {
                case { Conflict: true }:
                    unplaced.AddRange(batch.Fail(leader, new RealtimeException(ErrorCode.IdConflict)));
                    break;
                case { } placement:
                    batch.Complete(leader, placement.Outcome);
                    break;
                case null:
                    _topicIds.Forget(leader.Append.Topic);
                    unplaced.Add(leader);
                    unplaced.AddRange(batch.FollowersOf(leader));
                    break;
            }
        }

        return unplaced;
    }

    /// <summary>A role that is yet to be made is no fault of the data, though its state says so.</summary>
    private static async Task ApplyAsync(NpgsqlCommand settings, CancellationToken cancellationToken)
    {
        try
        {
            await settings.ExecuteNonQueryAsync(cancellationToken);
        }
        catch (PostgresException exception)
        {
            throw new NpgsqlException($"The connection cannot append: {exception.MessageText}", exception);
        }
    }

    private async Task<PostgresAppendCommand> OpenAsync()
    {
        // Npgsql's own limit is longer than a publish waits.
        using var limit = new CancellationTokenSource(ConnectTime, time);
        _connection = await dataSource.OpenConnectionAsync(limit.Token);
        _topicIds.ForgetAll();
        await using (var settings = new NpgsqlCommand($"{Settings} set lock_timeout = {(int)lockTimeout.TotalMilliseconds}", _connection))
        {
            await ApplyAsync(settings, limit.Token);
        }

        await using var read = new NpgsqlCommand("select realtime.incarnation()", _connection);
        var incarnation = (string)(await read.ExecuteScalarAsync(limit.Token))!;
        var command = new PostgresAppendCommand(_connection, incarnation, PostgresRetention.LongestWindow(catalog), CommandTimeoutSeconds);
        await command.PrepareAsync(limit.Token);
        return _command = command;
    }
}
