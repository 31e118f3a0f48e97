using System.Collections.Immutable;
using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Features.Presence;

/// <summary>
/// The connections of this node that are on a topic: its section, and what of that has yet to be told. The topic guards it by its lock.
/// </summary>
internal sealed class PresencePlaces(TopicKey topic, PresenceContext context)
{
    private readonly Dictionary<Guid, OwnPlace> _own = [];
    private readonly HashSet<Guid> _changed = [];
    private readonly HashSet<Guid> _told = [];
    private readonly HashSet<Guid> _lingering = [];
    private long _version;

    /// <summary>Nobody is here, and everybody has been told that.</summary>
    public bool IsEmpty => _own.Count + _told.Count + _changed.Count == 0;

    /// <summary>As it was told last.</summary>
    public PresenceSection Section { get; private set; } = PresenceSection.Empty;

    /// <summary>A connection is here, perhaps again.</summary>
    /// <param name="place">The topic that this is of.</param>
    /// <param name="subscription">Over which.</param>
    /// <param name="says">What it says.</param>
    public void Enter(PresenceTopic place, Subscription subscription, ConnectionSays says)
    {
        var connection = subscription.Connection;
        if (_own.TryGetValue(connection.Id, out var known))
        {
            known.Subscription = subscription;
            _lingering.Remove(connection.Id);
            Set(connection.Id, known.Entry with { Lingers = false });
            return;
        }

        var user = connection.Caller.UserId;
        var choice = context.Users.Enter(new UserName(topic.Tenant, user), place, connection.Id);
        _own[connection.Id] = new OwnPlace { Subscription = subscription };
        Set(connection.Id, new PresenceEntry(user, connection.Transport, choice.Status, choice.Text, choice.At, says.Active, says.DataOn(topic.Name)));
        context.Instruments.Entered(topic.Tenant);
    }

    /// <summary>A connection is here no longer, unless another subscription of it has taken the place.</summary>
    public void Leave(Subscription subscription, bool forGood)
    {
        var connection = subscription.Connection.Id;
        if (_own.TryGetValue(connection, out var place) && place.Subscription == subscription)
        {
            place.Subscription = null;
            _lingering.Add(connection);
            place.Until = context.Time.GetUtcNow() + (forGood ? TimeSpan.Zero : context.Options.Grace);
            Set(connection, place.Entry with { Lingers = true });
        }
    }

    public void Change(Guid connection, Func<PresenceEntry, PresenceEntry> change)
    {
        if (_own.TryGetValue(connection, out var place))
        {
            Set(connection, change(place.Entry));
        }
    }

    /// <summary>What has changed since the last time; all there is where others may not have that. And whether somebody lingers.</summary>
    /// <param name="place">The topic that this is of.</param>
    /// <param name="isWhole">Others may not have it.</param>
    public (PresenceDelta? Delta, bool Lingers) Collect(PresenceTopic place, bool isWhole)
    {
        var now = context.Time.GetUtcNow();
        var lingers = RemoveGone(place, now);
        // Whoever came and went in between was never here.
        _changed.RemoveWhere(connection => !_own.ContainsKey(connection) && !_told.Contains(connection));
        // Also that nobody is left: else those who were would stay there.
        isWhole &= _version > 0;
        if (_changed.Count == 0 && !isWhole)
        {
            return (null, lingers);
        }

        var previous = isWhole || _told.Count == 0 ? 0 : _version;
        // One that was forgotten and is made anew goes on behind what it was.
        _version = Math.Max(_version + 1, now.ToUnixTimeMilliseconds());
        _told.ExceptWith(_changed);
        _told.UnionWith(_changed.Where(_own.ContainsKey));
        Section = new PresenceSection(_version, After(_changed));
        var named = previous == 0 ? _own.Keys : (IEnumerable<Guid>)_changed;
        var changes = named.ToDictionary(static connection => connection, connection => _own.GetValueOrDefault(connection)?.Entry);
        _changed.Clear();
        return (new PresenceDelta(previous, _version, changes), lingers);
    }

    private ImmutableDictionary<Guid, PresenceEntry> After(IEnumerable<Guid> changed)
    {
        var entries = Section.Entries.ToBuilder();
        foreach (var connection in changed)
        {
            if (_own.TryGetValue(connection, out var place))
            {
                entries[connection] = place.Entry;
            }
            else
            {
                entries.Remove(connection);
            }
        }

        return entries.ToImmutable();
    }

    private bool RemoveGone(PresenceTopic place, DateTimeOffset now)
    {
        foreach (var connection in _lingering.Where(connection => _own[connection].Until <= now).ToArray())
        {
            _lingering.Remove(connection);
            _own.Remove(connection, out var own);
            _changed.Add(connection);
            context.Users.Leave(new UserName(topic.Tenant, own!.Entry.User), place, connection);
            context.Instruments.Left(topic.Tenant);
        }

        return _lingering.Count > 0;
    }

    private void Set(Guid connection, PresenceEntry entry)
    {
        var place = _own[connection];
        if (place.Entry != entry)
        {
            place.Entry = entry;
            _changed.Add(connection);
        }
    }

    private sealed class OwnPlace
    {
        /// <summary>Null: it is gone, and the place is kept for a while.</summary>
        public Subscription? Subscription { get; set; }

        public PresenceEntry Entry { get; set; } = new("", "");

        public DateTimeOffset Until { get; set; }
    }
}
