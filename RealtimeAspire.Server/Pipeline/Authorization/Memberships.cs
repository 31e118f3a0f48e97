using System.Collections.Concurrent;
using System.Collections.Frozen;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Signing;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.Authorization;

/// <summary>
/// What this node knows of topics and their members: which topics are private, and the places of each user who is or was lately
/// here. Answers at once; <see cref="AccessWatch"/> keeps it up to date.
/// </summary>
internal sealed class Memberships(TimeProvider time)
{
    private static readonly TimeSpan KeepTime = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<TopicKey, PrivateTopic> _private = new();
    private readonly ReadOrder<TopicKey> _reads = new();
    private readonly ConcurrentDictionary<UserKey, Entry> _users = new();

    /// <summary>Until it is known which topics are private, all of them are.</summary>
    public bool IsLoading { get; set; }

    public bool IsPrivate(string tenant, TopicName topic) => IsLoading || (!_private.IsEmpty && _private.ContainsKey(new TopicKey(tenant, topic)));

    /// <summary>The caller's place; null where he has none.</summary>
    public static Membership? RoleOf(Caller caller, TopicName topic) => caller.Places?.Find(topic);

    /// <summary>The offset behind which the caller may read: 0 for all there is.</summary>
    public long HorizonOf(Caller caller, TopicName topic) =>
        !_private.IsEmpty && _private.TryGetValue(new TopicKey(caller.Tenant, topic), out var rules) && !rules.ShowsPast && RoleOf(caller, topic) is { } place
            ? place.JoinedOffset
            : 0;

    /// <summary>What is known of a user's places, to be kept by whoever asks for as long as the user is here: so it is kept up to date.</summary>
    public UserPlaces PlacesOf(string tenant, string user)
    {
        var entry = _users.GetOrAdd(new UserKey(tenant, user), static _ => new Entry());
        lock (entry)
        {
            entry.UsedAt = time.GetTimestamp();
            if (entry.Strong is null && !entry.Weak.TryGetTarget(out entry.Strong))
            {
                entry.Strong = new UserPlaces();
                entry.Weak.SetTarget(entry.Strong);
            }

            return entry.Strong;
        }
    }

    /// <summary>Forgets users who have gone and have not come back.</summary>
    public void Sweep()
    {
        foreach (var (user, entry) in _users)
        {
            lock (entry)
            {
                if (time.GetElapsedTime(entry.UsedAt) < KeepTime)
                {
                    continue;
                }

                entry.Strong = null;
                if (!entry.Weak.TryGetTarget(out _))
                {
                    // Whoever holds the entry already and asks it now keeps places that nobody tells of changes: they are read when they are made, and
                    // a request is over soon.
                    _users.TryRemove(KeyValuePair.Create(user, entry));
                }
            }
        }
    }

    /// <summary>Those who are here.</summary>
    public IEnumerable<(string Tenant, string User, UserPlaces Places)> Known()
    {
        foreach (var (user, entry) in _users)
        {
            if (entry.Weak.TryGetTarget(out var places))
            {
                yield return (user.Tenant, user.User, places);
            }
        }
    }

    /// <summary>A user's places, if he is here.</summary>
    public UserPlaces? FindPlaces(string tenant, string user) =>
        _users.TryGetValue(new UserKey(tenant, user), out var entry) && entry.Weak.TryGetTarget(out var places) ? places : null;

    /// <summary>Learns how a topic is. A slow read does not open what a newer one has found private.</summary>
    /// <param name="topic">The topic.</param>
    /// <param name="read">Asks the store; null: it is not private.</param>
    public Task LearnPrivateAsync(TopicKey topic, Func<Task<PrivateTopic?>> read) => _reads.ReadAsync(topic, read, rules => SetPrivate(topic, rules));

    /// <summary>Learns of all topics how they are.</summary>
    /// <param name="read">Asks the store for those that are private.</param>
    public Task LearnAllPrivateAsync(Func<Task<Dictionary<TopicKey, PrivateTopic>>> read) => _reads.ReadAllAsync(read, SetAllPrivate);

    private void SetPrivate(TopicKey topic, PrivateTopic? rules)
    {
        if (rules is null)
        {
            _private.TryRemove(topic, out _);
        }
        else
        {
            _private[topic] = rules;
        }
    }

    private void SetAllPrivate(Dictionary<TopicKey, PrivateTopic> topics, Func<TopicKey, bool> isNew)
    {
        foreach (var (topic, rules) in topics.Where(one => isNew(one.Key)))
        {
            _private[topic] = rules;
        }

        foreach (var topic in _private.Keys.Where(topic => !topics.ContainsKey(topic) && isNew(topic)))
        {
            _private.TryRemove(topic, out _);
        }

        IsLoading = false;
    }

    private readonly record struct UserKey(string Tenant, string User);

    private sealed class Entry
    {
        public UserPlaces? Strong;

        public WeakReference<UserPlaces> Weak { get; } = new(null!);

        public long UsedAt { get; set; }
    }
}

/// <summary>How a private topic is.</summary>
/// <param name="ShowsPast">Whether members see what was there before they joined.</param>
internal sealed record PrivateTopic(bool ShowsPast);

/// <summary>A user's places in topics and the keys with which he signs, as they are now.</summary>
internal sealed class UserPlaces
{
    private readonly Lock _lock = new();
    private volatile FrozenDictionary<string, SigningKey> _keys = FrozenDictionary<string, SigningKey>.Empty;
    private volatile FrozenDictionary<string, Membership> _places = FrozenDictionary<string, Membership>.Empty;
    private volatile bool _isMissed;
    private long _begun;
    private long _read;

    /// <summary>They have been read; else there may be some that nobody knows of yet, and none counts.</summary>
    public bool IsKnown => Volatile.Read(ref _read) > 0;

    /// <summary>The topics in which he has one.</summary>
    public IReadOnlyCollection<string> Topics => _places.Keys;

    /// <summary>Somebody has come in before they could be read: what he has is looked at when they have been.</summary>
    public bool IsMissed
    {
        get => _isMissed;
        set => _isMissed = value;
    }

    public Membership? Find(TopicName topic) => _places.Count == 0 ? null : _places.GetValueOrDefault(topic.Value);

    /// <summary>A key of the user's that counts.</summary>
    public SigningKey? FindKey(string keyId) => _keys.GetValueOrDefault(keyId);

    /// <summary>Reads them; of reads that cross the one that began last counts.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task LoadAsync(AccessStore store, string tenant, string user, CancellationToken cancellationToken)
    {
        var mine = Interlocked.Increment(ref _begun);
        var (places, keys) = await store.ReadUserAsync(tenant, user, cancellationToken);
        lock (_lock)
        {
            if (mine > _read)
            {
                _places = places.ToFrozenDictionary(StringComparer.Ordinal);
                _keys = keys.ToFrozenDictionary(StringComparer.Ordinal);
                Volatile.Write(ref _read, mine);
            }
        }
    }
}
