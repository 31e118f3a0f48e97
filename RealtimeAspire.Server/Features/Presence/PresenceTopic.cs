using System.Collections.Concurrent;
using System.Collections.Immutable;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Presence;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Features.Presence;

/// <summary>
/// One topic on this node: the connections that are here, and, while anybody here asks, the members of all nodes. Whoever comes,
/// changes or goes is noted at once; what has been noted in a window is written, told to the other nodes and to subscribers together.
/// </summary>
internal sealed class PresenceTopic(TopicKey topic, PresenceContext context)
{
    private static readonly TimeSpan RefreshTime = TimeSpan.FromMinutes(20);

    /// <summary>Members that nobody asks for are kept a while: who reads by pages asks again.</summary>
    private static readonly TimeSpan IdleTime = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private readonly ConcurrentQueue<PresenceNews> _heard = new();
    private readonly PresenceAudience _audience = new(topic, context);

    // Under the lock.
    private readonly PresencePlaces _places = new(topic, context);
    private PresenceMembers? _members;
    private TaskCompletionSource? _ready;
    private long _askedAt;
    private bool _isClosed;

    // Only the window's work touches these; one at a time.
    private readonly Dictionary<long, long> _heardAt = [];
    private readonly HashSet<long> _missing = [];
    private IAsyncDisposable? _channel;
    private bool _isRead;
    private bool _isLost;
    private long _writtenAt;

    // From anywhere.
    private int _isDistrusted;

    public TopicKey Topic => topic;

    /// <summary>Takes nobody any more, if nothing of it is here and nobody asks.</summary>
    public bool TryClose()
    {
        lock (_lock)
        {
            return _isClosed |= _places.IsEmpty && _members is null && !_isLost;
        }
    }

    /// <summary>A subscription is live: its user is here, and it may want to be told who is. False: this is closed.</summary>
    /// <param name="subscription">Which.</param>
    /// <param name="says">What its connection says; null: it watches, and is nobody.</param>
    public bool TryJoin(Subscription subscription, ConnectionSays? says)
    {
        lock (_lock)
        {
            if (_isClosed)
            {
                return false;
            }

            if (says is not null)
            {
                _places.Enter(this, subscription, says);
            }

            if (subscription.Presence is not PresenceMode.None)
            {
                _audience.Add(subscription);
                Ask_NeedsLock();
            }
        }

        context.Wake(this);
        return true;
    }

    /// <summary>A subscription has ended.</summary>
    public void Leave(Subscription subscription, bool forGood)
    {
        lock (_lock)
        {
            _audience.Remove(subscription);
            _places.Leave(subscription, forGood);
        }

        context.Wake(this);
    }

    /// <summary>Something about a connection has changed, if it is here.</summary>
    public void Change(Guid connection, Func<PresenceEntry, PresenceEntry> change)
    {
        lock (_lock)
        {
            _places.Change(connection, change);
        }

        context.Wake(this);
    }

    /// <summary>Somebody asks who is there. False: this is closed.</summary>
    /// <param name="ready">Completes when that is known.</param>
    public bool TryAsk(out Task ready)
    {
        lock (_lock)
        {
            ready = Task.CompletedTask;
            if (_isClosed)
            {
                return false;
            }

            Ask_NeedsLock();
            ready = _ready!.Task;
        }

        context.Wake(this);
        return true;
    }

    /// <summary>A page of the members of all nodes, as of the last window.</summary>
    /// <exception cref="RealtimeException"><c>nodes_unreachable</c>: they are not known any more.</exception>
    public PresencePage Page(string? after, int limit)
    {
        lock (_lock)
        {
            return _members?.Page(after, limit) ?? throw new RealtimeException(ErrorCode.NodesUnreachable);
        }
    }

    /// <summary>Redis may have forgotten this node's section, and this node may have missed what others said.</summary>
    public void Distrust()
    {
        Volatile.Write(ref _isDistrusted, 1);
        context.Wake(this);
    }

    /// <summary>The window's work. Never at once with itself.</summary>
    /// <returns>Whether it is to be done again in the next window, come what may.</returns>
    public async Task<bool> WorkAsync()
    {
        if (Interlocked.Exchange(ref _isDistrusted, 0) == 1)
        {
            (_isLost, _isRead) = (true, false);
        }

        PresenceDelta? delta;
        bool lingers;
        lock (_lock)
        {
            (delta, lingers) = _places.Collect(this, isWhole: _isLost);
            if (delta is not null && _members?.TryApply(Self, delta) is false)
            {
                _members.Merge(Self, _places.Section);
            }
        }

        if (delta is null || context.Redis is null)
        {
            _isLost = false;
        }
        else
        {
            _isLost = !await context.Redis.WriteAsync(topic, delta);
            _writtenAt = context.Time.GetTimestamp();
        }

        await FollowAsync();
        return lingers | Tell();
    }

    /// <summary>Whether it is to be compared with what Redis says. Never at once with <see cref="WorkAsync"/>.</summary>
    public bool WantsCheck()
    {
        if (_isLost || (!_places.IsEmpty && context.Time.GetElapsedTime(_writtenAt) > RefreshTime))
        {
            Distrust();
        }

        return context.Redis is not null && _isRead;
    }

    /// <summary>Compares what is known with the versions that Redis has; null: it has not answered. Never at once with <see cref="WorkAsync"/>.</summary>
    public async Task CheckAsync(RedisPresence redis, IReadOnlyDictionary<long, long>? versions)
    {
        foreach (var gone in Known().Where(node => node != redis.Node && !context.Leases.IsAlive(node, _heardAt.GetValueOrDefault(node))))
        {
            Drop(gone);
            await redis.ForgetAsync(topic, gone);
        }

        if (versions is null)
        {
            return;
        }

        // After Redis has forgotten everything nodes write again, each when it is back there.
        var isDisturbed = context.Leases.IsDisturbed;
        foreach (var node in Known())
        {
            // Twice in a row: what has been forgotten may be noticed only with the next beat.
            if (isDisturbed || versions.ContainsKey(node) || node == redis.Node || Section(node).Entries.IsEmpty)
            {
                _missing.Remove(node);
            }
            else if (!_missing.Add(node))
            {
                Drop(node);
            }
        }

        if (versions.Any(version => version.Key != redis.Node && version.Value > Section(version.Key).Version))
        {
            _isRead = false;
            context.Wake(this);
        }
    }

    /// <summary>Stops to follow other nodes, if nobody has asked for a while.</summary>
    public async Task ForgetIdleAsync()
    {
        lock (_lock)
        {
            if (_members is null || !_audience.IsEmpty || context.Time.GetElapsedTime(_askedAt) < IdleTime)
            {
                return;
            }

            (_members, _ready, _isRead) = (null, null, false);
        }

        await StopAsync();
    }

    public async Task StopAsync()
    {
        if (Interlocked.Exchange(ref _channel, null) is { } channel)
        {
            await channel.DisposeAsync();
        }
    }

    private void Ask_NeedsLock()
    {
        _askedAt = context.Time.GetTimestamp();
        if (_members is null)
        {
            _members = new PresenceMembers();
            _ready = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            // What is here is known without asking.
            _members.Merge(Self, _places.Section);
        }
    }

    private long Self => context.Redis?.Node ?? 0;

    /// <summary>Takes in what the other nodes have said, and reads what they are known to have said.</summary>
    private async Task FollowAsync()
    {
        if (_members is null)
        {
            return;
        }

        if (context.Redis is not { } redis)
        {
            _isRead = true;
            return;
        }

        _channel ??= await redis.ListenAsync(topic, news =>
        {
            _heard.Enqueue(news);
            context.Wake(this);
        });
        // Beyond what is heard before it is read there is nothing.
        if (!_isRead && await redis.ReadAsync(topic) is { } sections)
        {
            await ReadAsync(redis, sections);
        }

        lock (_lock)
        {
            while (_heard.TryDequeue(out var news))
            {
                _heardAt[news.Node] = context.Time.GetTimestamp();
                if (_members?.TryApply(news.Node, news.Delta) is false)
                {
                    _isRead = false;
                    context.Wake(this);
                }
            }
        }
    }

    /// <summary>What Redis has of nodes that are alive. Of one that this node does not know it asks first.</summary>
    private async Task ReadAsync(RedisPresence redis, IReadOnlyDictionary<long, PresenceSection> sections)
    {
        var others = sections.Where(section => section.Key != redis.Node).ToArray();
        var asOf = context.Time.GetTimestamp();
        if (others.Any(section => !context.Leases.IsAlive(section.Key)))
        {
            await context.Leases.BeatAsync();
        }

        foreach (var (gone, _) in others.Where(section => !context.Leases.IsAlive(section.Key)))
        {
            await redis.ForgetAsync(topic, gone);
        }

        lock (_lock)
        {
            foreach (var (node, section) in others.Where(section => context.Leases.IsAlive(section.Key)))
            {
                _heardAt[node] = asOf;
                _members?.Merge(node, section);
            }
        }

        _isRead = true;
    }

    /// <summary>Tells subscribers; while Redis is away, what is known without it. True: there is something that is not told yet.</summary>
    private bool Tell()
    {
        lock (_lock)
        {
            if (_members is null)
            {
                return false;
            }

            if (!_isRead && context.Redis is { IsConnected: true })
            {
                return true;
            }

            var waits = _audience.Tell(_members);
            if (_isRead)
            {
                _ready!.TrySetResult();
            }

            return waits || !_isRead;
        }
    }

    private long[] Known()
    {
        lock (_lock)
        {
            return [.. _members?.State.Nodes ?? []];
        }
    }

    private PresenceSection Section(long node)
    {
        lock (_lock)
        {
            return _members?.State[node] ?? PresenceSection.Empty;
        }
    }

    private void Drop(long node)
    {
        lock (_lock)
        {
            _members?.Drop(node);
        }

        _heardAt.Remove(node);
        _missing.Remove(node);
        context.Wake(this);
    }
}
