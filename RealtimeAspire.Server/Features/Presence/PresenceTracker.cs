using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text.Json;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Connections;
using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Limits;
using RealtimeAspire.Server.Pipeline.Presence;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Features.Presence;

/// <summary>
/// The driver of presence on this node: owns time and network. Each window it has the topics work in which something has happened;
/// each beat it says that the node lives, and compares topics with Redis. A node that stops says nothing more, like one that was
/// killed: its connections linger until its lease ends, and whoever comes back elsewhere meanwhile has not been away.
/// </summary>
internal sealed partial class PresenceTracker : BackgroundService, IPresence
{
    private const int MaxText = 140;
    private const int DefaultLimit = 100;
    private const int MaxLimit = 1_000;
    private const int BeatsPerLease = 5;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<TopicKey, PresenceTopic> _topics = new();
    private readonly ConcurrentDictionary<PresenceTopic, bool> _awake = new();
    private readonly ConditionalWeakTable<Connection, ConnectionSays> _says = [];
    private readonly PresenceContext _context;
    private readonly TopicCatalog _catalog;
    private readonly TopicAccess _access;
    private readonly RequestLimiter _limits;
    private readonly RealtimeOptions _realtime;
    private readonly ILogger<PresenceTracker> _logger;
    private int _distrusted;

    // Only the loop touches it.
    private Task _usersWritten = Task.CompletedTask;

    public PresenceTracker(
        IOptions<PresenceOptions> options,
        IOptions<RealtimeOptions> realtime,
        TopicCatalog catalog,
        TopicAccess access,
        RequestLimiter limits,
        PresenceInstruments instruments,
        TimeProvider time,
        ILogger<PresenceTracker> logger,
        RedisPresence? redis = null)
    {
        (_catalog, _access, _limits, _realtime, _logger) = (catalog, access, limits, realtime.Value, logger);
        var leases = new PresenceLeases(() => redis?.BeatAsync() ?? Task.FromResult<(bool, IReadOnlySet<long>)?>(null), options.Value.Lease, time);
        _context = new PresenceContext(options.Value, time, new PresenceUsers(time, redis), instruments, topic => _awake[topic] = true, leases, redis);
        leases.Forgotten += Distrust;
    }

    public void Joined(Subscription subscription)
    {
        var connection = subscription.Connection;
        // Polls come and go, and end with the first thing that they are told.
        if (connection.Transport is not (Connection.Hub or "sse"))
        {
            return;
        }

        // A backend watches, and is nobody who is there.
        var says = connection.Caller is { IsService: false, IsServer: false } ? SaysOf(connection) : null;
        subscription.Observer = this;
        var topic = At(subscription.Topic, topic => topic.TryJoin(subscription, says));
        // It may have ended before it was observed.
        if (subscription.HasEnded)
        {
            topic.Leave(subscription, forGood: false);
        }
    }

    public void Left(Subscription subscription, bool forGood)
    {
        if (_topics.TryGetValue(subscription.Topic, out var topic))
        {
            topic.Leave(subscription, forGood);
        }
    }

    public async Task SetAsync(Caller caller, Connection? connection, PresenceRequest request)
    {
        _limits.Admit(caller);
        var status = StatusOf(request.Status);
        var data = DataOf(request.Data);
        if (request.Text is { } text && (text.Length > MaxText || text.Any(char.IsControl)))
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, $"A text is at most {MaxText} characters without control characters.");
        }

        if ((request.Topic is not null && data is null) || (connection is null && (request.Active is not null || data is not null)))
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, "active and data are said of a connection, over the hub; a topic goes with data.");
        }

        if (connection is not null)
        {
            SayOf(connection, request, data);
        }

        if (status is not null || request.Text is not null)
        {
            await _context.Users.ChooseAsync(new UserName(caller.Tenant, caller.UserId), status, request.Text);
        }
    }

    public Task<PresencePage> ListAsync(Caller caller, PresencePageRequest request, CancellationToken cancellationToken)
    {
        var name = TopicName.Parse(request.Topic);
        var policy = _catalog.Get(name);
        var limit = request.Limit < 1 ? throw new RealtimeException(ErrorCode.RequestInvalid, "A limit is 1 or more.") : Math.Min(request.Limit ?? DefaultLimit, MaxLimit);
        _limits.AdmitPage(caller, limit);
        if (!TopicAccess.MayManage(caller, name))
        {
            _access.RequirePresence(caller, policy, name);
        }

        if (!policy.Presence)
        {
            throw new RealtimeException(ErrorCode.PresenceNotOffered);
        }

        return _limits.ReadInTurnAsync(caller, () => PageAsync(new TopicKey(caller.Tenant, name), request.After, limit, cancellationToken), cancellationToken);
    }

    /// <summary>How a user is: himself, or who has <c>presence</c> on <c>user:{name}</c>.</summary>
    /// <exception cref="RealtimeException">Refused or failed, with a code.</exception>
    public Task<UserPresence> FindUserAsync(Caller caller, string user)
    {
        _limits.Admit(caller);
        if (user != caller.UserId)
        {
            var name = TopicName.Parse($"{TopicCatalog.User}:{user}");
            if (!TopicAccess.MayManage(caller, name))
            {
                _access.RequirePresence(caller, _catalog.Get(name), name);
            }
        }

        return _context.Users.FindAsync(new UserName(caller.Tenant, user), node => _context.Leases.IsAlive(node));
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        IAsyncDisposable? users = null;
        if (_context.Redis is { } redis)
        {
            redis.Restored += Distrust;
            users = await redis.ListenAsync(news => _context.Users.Learn(new UserName(news.Tenant, news.User), news.Choice));
        }

        try
        {
            await RunAsync(stoppingToken);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // What has lingered so far is written, as the connections went before this.
            await WorkAsync();
        }
        finally
        {
            if (_context.Redis is { } left)
            {
                left.Restored -= Distrust;
            }

            // Where everything stops at once, Redis may be gone already: its word is not waited for.
            _ = Background.Run(async () =>
            {
                await (users?.DisposeAsync() ?? default);
                await Task.WhenAll(_topics.Values.Select(static topic => topic.StopAsync()));
            });
        }
    }

    private async Task RunAsync(CancellationToken stoppingToken)
    {
        var beat = _context.Options.Lease / BeatsPerLease;
        await _context.Leases.BeatAsync();
        var beaten = _context.Time.GetTimestamp();
        using var timer = new PeriodicTimer(_context.Options.Window, _context.Time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            if (Interlocked.Exchange(ref _distrusted, 0) == 1)
            {
                await DistrustAllAsync();
            }

            if (_context.Time.GetElapsedTime(beaten) >= beat)
            {
                beaten = _context.Time.GetTimestamp();
                await CheckAsync();
            }

            await WorkAsync();
        }
    }

    private Task WorkAsync()
    {
        var awake = _awake.Keys.Where(topic => _awake.TryRemove(topic, out _)).ToArray();
        return Task.WhenAll(awake.Select(topic => GuardAsync(topic, async () =>
        {
            if (await topic.WorkAsync())
            {
                _awake[topic] = true;
            }
        })));
    }

    private async Task CheckAsync()
    {
        await _context.Leases.BeatAsync();
        if (_context.Redis is { } redis && _topics.Values.Where(static topic => topic.WantsCheck()).ToArray() is { Length: > 0 } checks)
        {
            var versions = await redis.ReadVersionsAsync([.. checks.Select(static topic => topic.Topic)]);
            await Task.WhenAll(checks.Select(topic => GuardAsync(topic, () => topic.CheckAsync(redis, versions.GetValueOrDefault(topic.Topic)))));
        }

        await Task.WhenAll(_topics.Values.Select(topic => GuardAsync(topic, topic.ForgetIdleAsync)));
        foreach (var topic in _topics.Where(static topic => topic.Value.TryClose()))
        {
            _topics.TryRemove(topic);
        }
    }

    private async Task DistrustAllAsync()
    {
        await _context.Leases.BeatAsync();
        foreach (var topic in _topics.Values)
        {
            topic.Distrust();
        }

        // Beside that, for there may be many; one run at a time, and the next time all of them again.
        _usersWritten = _usersWritten.IsCompleted ? Background.Run(_context.Users.WriteAgainAsync) : _usersWritten;
    }

    /// <summary>Redis may have forgotten what this node has said, and this node may have missed what others have. From anywhere.</summary>
    private void Distrust() => Volatile.Write(ref _distrusted, 1);

    /// <summary>A fault of ours in one topic keeps no other from its work.</summary>
    private async Task GuardAsync(PresenceTopic topic, Func<Task> work)
    {
        try
        {
            await work();
        }
#pragma warning disable CA1031
        catch (Exception exception)
#pragma warning restore CA1031
        {
            LogFailed(exception, topic.Topic);
            topic.Distrust();
        }
    }

    private async Task<PresencePage> PageAsync(TopicKey key, string? after, int limit, CancellationToken cancellationToken)
    {
        Task? ready = null;
        var topic = At(key, topic => topic.TryAsk(out ready));
        try
        {
            await ready!.WaitAsync(Patience, _context.Time, cancellationToken);
            return topic.Page(after, limit);
        }
        catch (TimeoutException exception)
        {
            throw new RealtimeException(ErrorCode.NodesUnreachable, ErrorCode.NodesUnreachable.Sentence, exception);
        }
    }

    /// <summary>Does something in a topic, in another one if this one is about to be forgotten.</summary>
    private PresenceTopic At(TopicKey key, Func<PresenceTopic, bool> act)
    {
        while (true)
        {
            var topic = _topics.GetOrAdd(key, static (key, context) => new PresenceTopic(key, context), _context);
            if (act(topic))
            {
                return topic;
            }

            _topics.TryRemove(KeyValuePair.Create(key, topic));
        }
    }

    private ConnectionSays SaysOf(Connection connection) => _says.TryGetValue(connection, out var says) ? says : ConnectionSays.Nothing;

    private void SayOf(Connection connection, PresenceRequest request, string? data)
    {
        var before = SaysOf(connection);
        var says = before with { Active = request.Active ?? before.Active };
        if (data is not null)
        {
            var taken = data == "{}" ? null : data;
            says = request.Topic is null ? says with { Data = taken, ByTopic = ConnectionSays.Nothing.ByTopic } : says with { ByTopic = says.ByTopic.SetItem(Offering(request.Topic), taken) };
            if (says.ByTopic.Count > _realtime.Limits.SubscriptionsPerConnection)
            {
                throw new RealtimeException(ErrorCode.TooManySubscriptions);
            }
        }

        _says.AddOrUpdate(connection, says);
        foreach (var place in _context.Users.PlacesOf(new UserName(connection.Caller.Tenant, connection.Caller.UserId), connection.Id))
        {
            place.Change(connection.Id, entry => entry with { Active = says.Active, Data = says.DataOn(place.Topic.Name) });
        }
    }

    private TopicName Offering(string topic)
    {
        var name = TopicName.Parse(topic);
        return _catalog.Get(name).Presence ? name : throw new RealtimeException(ErrorCode.PresenceNotOffered);
    }

    private static PresenceStatus? StatusOf(string? status) => status switch
    {
        null => null,
        "online" => PresenceStatus.Online,
        "away" => PresenceStatus.Away,
        "dnd" => PresenceStatus.DoNotDisturb,
        _ => throw new RealtimeException(ErrorCode.RequestInvalid, "A status is \"online\", \"away\" or \"dnd\"."),
    };

    private string? DataOf(JsonElement? data)
    {
        if (data is not { } said)
        {
            return null;
        }

        if (said.ValueKind is not JsonValueKind.Object)
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, "data is an object.");
        }

        // As it was sent: what cannot be written again is refused like every other payload of that kind.
        var json = JsonMarshal.GetRawUtf8Value(said);
        if (json.Length > _context.Options.DataBytes)
        {
            throw new RealtimeException(ErrorCode.PayloadTooLarge, $"What is said of a connection has at most {_context.Options.DataBytes} bytes.");
        }

        PayloadForm.Require(json, _realtime.Limits.PayloadMembers);
        return said.GetRawText();
    }

    [LoggerMessage(EventId = 1700, Level = LogLevel.Error, Message = "The members of {Topic} could not be worked on; they are read again")]
    private partial void LogFailed(Exception exception, TopicKey topic);
}
