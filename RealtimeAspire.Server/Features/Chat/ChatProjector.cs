using System.Collections.Concurrent;
using System.Data.Common;
using System.Threading.Channels;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;
using RealtimeAspire.Server.Storage;

namespace RealtimeAspire.Server.Features.Chat;

/// <summary>
/// Makes the rooms' projections of their logs. A page of a log is taken in one transaction that has the projection's row locked: its messages are
/// written and the position with them, so each event counts once, whichever node goes on with the room. It goes on when something was
/// published, when somebody reads the room, who then sees all that was published before, and now and then for what nobody has told of.
/// </summary>
internal sealed partial class ChatProjector(
    NpgsqlDataSource dataSource, LogCatalog logs, PostgresListener listener, ChatNotices notices, TimeProvider time, ILogger<ChatProjector> logger) : BackgroundService
{
    private const int PageEvents = 1_000;

    // Each has a connection, and reads the log over another one.
    private const int RoomsAtOnce = 4;

    private const string FindBehind = """
        select t.tenant, t.topic from realtime.topics t left join realtime.chat_projections p using (topic_id)
         where t.topic like $1 and t.last_offset > case when p.epoch = t.epoch then p."offset" else 0 end
         limit 1000
        """;

    private static readonly TimeSpan SweepInterval = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan ReadTime = TimeSpan.FromSeconds(10);

    private readonly SemaphoreSlim _rooms = new(RoomsAtOnce);
    private readonly ConcurrentDictionary<TopicKey, Lazy<Task>> _running = new();
    private readonly ConcurrentDictionary<TopicKey, bool> _waiting = new();
    private readonly Channel<TopicKey> _signals = Channel.CreateUnbounded<TopicKey>(new() { SingleReader = true });

    /// <summary>Something was published in a room. Only enqueues.</summary>
    public void Signal(TopicKey topic)
    {
        if (topic.Name.Type == TopicCatalog.Room && _waiting.TryAdd(topic, true))
        {
            _signals.Writer.TryWrite(topic);
        }
    }

    /// <summary>Brings a room's projection to where its log is now.</summary>
    /// <returns>Where that is; null where the room has no events.</returns>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>, <c>overloaded</c>: it is being made, and is not there yet.</exception>
    public async Task<ProjectionState?> CatchUpAsync(TopicKey topic, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(ReadTime, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            var state = await ProjectionStore.FindAsync(dataSource, topic, either.Token);
            for (var target = state; state is not null && target is not null && state.Epoch == target.Epoch && state.Offset < target.Tip;)
            {
                await RunAsync(topic).WaitAsync(either.Token);
                state = await ProjectionStore.FindAsync(dataSource, topic, either.Token);
            }

            return state is { Tip: > 0 } ? state : null;
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw new RealtimeException(ErrorCode.Overloaded, "The room's messages are being read from its log; try again.", exception);
        }
        catch (DbException exception)
        {
            throw new RealtimeException(ErrorCode.LogUnavailable, ErrorCode.LogUnavailable.Sentence, exception);
        }
    }

    /// <summary>As <see cref="CatchUpAsync"/> for those of many rooms that are behind. One that does not get there, or not in time, is shown as it was.</summary>
    public async Task TryCatchUpAsync(string tenant, IEnumerable<RoomRow> rooms, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(ReadTime, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        foreach (var room in rooms.Where(static room => room.State is { IsBehind: true }))
        {
            try
            {
                await CatchUpAsync(new TopicKey(tenant, room.Topic), either.Token);
            }
            catch (RealtimeException)
            {
                // The others have their own.
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                // The answer is of what there is by now.
                return;
            }
        }
    }

    /// <summary>Forgets what was made of a room's log, and makes it again.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>, <c>overloaded</c>.</exception>
    public async Task RebuildAsync(TopicKey topic, CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
            await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
            if (await ProjectionStore.LockAsync(connection, topic, cancellationToken) is not { } room)
            {
                return;
            }

            await ProjectionStore.RestartAsync(connection, room.TopicId, cancellationToken);
            await transaction.CommitAsync(cancellationToken);
        }
        catch (DbException exception)
        {
            throw new RealtimeException(ErrorCode.LogUnavailable, ErrorCode.LogUnavailable.Sentence, exception);
        }

        Signal(topic);
        await CatchUpAsync(topic, cancellationToken);
    }

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        listener.Published += Signal;
        return base.StartAsync(cancellationToken);
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        listener.Published -= Signal;
        await base.StopAsync(cancellationToken);
    }

    public override void Dispose()
    {
        _rooms.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await using var sweep = time.CreateTimer(_ => _signals.Writer.TryWrite(default), null, SweepInterval, SweepInterval);
        try
        {
            while (true)
            {
                await FollowAsync(await _signals.Reader.ReadAsync(stoppingToken), stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The node stops; what is left is made by whoever reads it.
        }
    }

    /// <param name="topic">What was signalled; the default value: look for what nobody has told of.</param>
    /// <param name="stoppingToken">The node stops.</param>
    private async Task FollowAsync(TopicKey topic, CancellationToken stoppingToken)
    {
        // What is published from here on signals again.
        _waiting.TryRemove(topic, out _);
        try
        {
            if (topic == default)
            {
                await SweepAsync(stoppingToken);
            }
            else
            {
                await GoOnAsync(topic, stoppingToken);
            }
        }
        catch (Exception exception) when (exception is RealtimeException or DbException || (exception is OperationCanceledException && !stoppingToken.IsCancellationRequested))
        {
            // The next signal, reader or sweep tries again.
            LogBehind(topic.Name.ToString(), exception.InnerException?.Message ?? exception.Message);
        }
    }

    /// <summary>One page, and then the others' turns: a long log holds up no other room.</summary>
    private async Task GoOnAsync(TopicKey topic, CancellationToken stoppingToken)
    {
        if (await ProjectionStore.FindAsync(dataSource, topic, stoppingToken) is { IsBehind: true })
        {
            await RunAsync(topic).WaitAsync(stoppingToken);
            Signal(topic);
        }
    }

    private async Task SweepAsync(CancellationToken stoppingToken)
    {
        try
        {
            await using var command = dataSource.CreateCommand(FindBehind);
            command.Parameters.Add(new NpgsqlParameter { Value = $"{TopicCatalog.Room}:%" });
            await using var reader = await command.ExecuteReaderAsync(stoppingToken);
            while (await reader.ReadAsync(stoppingToken))
            {
                Signal(new TopicKey(reader.GetString(0), TopicName.Parse(reader.GetString(1))));
            }
        }
        catch (DbException exception)
        {
            LogBehind("all", exception.Message);
        }
    }

    /// <summary>One page; whoever comes while one is under way waits for that and looks again.</summary>
    private Task RunAsync(TopicKey topic)
    {
        var mine = new Lazy<Task>(() => RunAloneAsync(topic));
        return _running.GetOrAdd(topic, mine).Value;
    }

    private async Task RunAloneAsync(TopicKey topic)
    {
        try
        {
            // Behind whoever has asked: he leaves the list before his task ends.
            await Task.Yield();
            await _rooms.WaitAsync();
            try
            {
                await TakePageAsync(topic);
            }
            finally
            {
                _rooms.Release();
            }
        }
        finally
        {
            _running.TryRemove(topic, out _);
        }
    }

    private async Task TakePageAsync(TopicKey topic)
    {
        using var limit = new CancellationTokenSource(ReadTime, time);
        await using var connection = await dataSource.OpenConnectionAsync(limit.Token);
        await using var transaction = await connection.BeginTransactionAsync(limit.Token);
        if (await ProjectionStore.LockAsync(connection, topic, limit.Token) is not { } room)
        {
            return;
        }

        var page = await logs.Of(topic).ReadAsync(topic, new LogRange.After(room.Offset), PageEvents, limit.Token);
        // A log of another epoch, and a log that keeps less than it did, take what they had with them.
        var below = room.Offset == 0 ? long.MaxValue : page.Floor;
        if (below > 1)
        {
            await ProjectionStore.ClearAsync(connection, room.TopicId, below, limit.Token);
        }

        var events = page.Events.Select(RoomEvent.Read).OfType<RoomEvent>().ToList();
        var known = await ProjectionStore.ReadKnownAsync(connection, room.TopicId, [.. events.SelectMany(said => said.Touched).Distinct()], limit.Token);
        var projection = new RoomProjection(known);
        foreach (var said in events)
        {
            projection.Apply(said);
        }

        // An empty page: what there was after the position is not kept any more.
        var offset = page.Events.Count > 0 ? page.Events[^1].Position.Offset : page.Tip.Offset;
        var changes = projection.TakeChanges();
        await ProjectionStore.WriteAsync(connection, topic.Tenant, room.TopicId, changes, Math.Max(offset, room.Offset), notices.IsOn, limit.Token);
        await transaction.CommitAsync(limit.Token);
        if (changes.Mentions.Count > 0)
        {
            notices.Wake();
        }
    }

    [LoggerMessage(EventId = 1751, Level = LogLevel.Warning, Message = "The messages of {Room} cannot be read from its log, and are tried again: {Reason}")]
    private partial void LogBehind(string room, string reason);
}
