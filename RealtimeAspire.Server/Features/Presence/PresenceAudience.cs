using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Presence;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Server.Features.Presence;

/// <summary>
/// The subscriptions of a topic that want to be told of who is there. Each is told first what there is, then what changes, in that
/// order on its one connection: nothing is missing between the two. Its topic guards it by its lock; sending never waits.
/// </summary>
internal sealed class PresenceAudience(TopicKey topic, PresenceContext context)
{
    // A topic that has just become large does not become small again with the next who leaves.
    private const double Small = 0.8;

    private readonly HashSet<Subscription> _told = [];
    private readonly List<Subscription> _new = [];
    private bool _isLarge;
    private Occupancy _lastOccupancy = new(0, 0);
    private long _toldAt;

    public bool IsEmpty => _told.Count + _new.Count == 0;

    public void Add(Subscription subscription) => _new.Add(subscription);

    public void Remove(Subscription subscription)
    {
        if (!_told.Remove(subscription))
        {
            _new.Remove(subscription);
        }
    }

    /// <summary>Tells what has changed, and whoever is new how it is. True: something is left for when its time has come.</summary>
    public bool Tell(PresenceMembers members)
    {
        if (_isLarge && context.Time.GetElapsedTime(_toldAt) < context.Options.LargeWindow)
        {
            // Whoever is new hears what the others have heard.
            Begin(members);
            return true;
        }

        var changes = members.Take();
        var wasLarge = _isLarge;
        _isLarge = members.Occupancy.Users > context.Options.LargeTopic * (wasLarge ? Small : 1);
        var hasMoved = members.Occupancy != _lastOccupancy;
        if (_told.Count > 0 && (changes.Any || hasMoved))
        {
            if (wasLarge != _isLarge)
            {
                Send(PresenceMode.Members, _told, Start(members));
            }
            else if (_isLarge)
            {
                Send(PresenceMode.Members, _told, hasMoved ? [Count(members)] : []);
            }
            else
            {
                Send(PresenceMode.Members, _told, ToEvents(changes));
            }

            Send(PresenceMode.Occupancy, _told, hasMoved ? [Count(members)] : []);
        }

        Begin(members);
        _lastOccupancy = members.Occupancy;
        _toldAt = context.Time.GetTimestamp();
        return false;
    }

    private void Begin(PresenceMembers members)
    {
        if (_new.Count > 0)
        {
            Send(PresenceMode.Members, _new, Start(members));
            Send(PresenceMode.Occupancy, _new, [Count(members)]);
            _told.UnionWith(_new);
            _new.Clear();
        }
    }

    private EncodedEvent[] Start(PresenceMembers members)
    {
        var count = JsonSerializer.Serialize(members.Occupancy, RealtimeJson.Default.Occupancy);
        var list = _isLarge ? "" : string.Join(',', members.All.Select(static member => member.Json));
        return [Encode(PresenceFeature.MembersEvent, $$"""{"members":[{{list}}],"occupancy":{{count}},"complete":{{(_isLarge ? "false" : "true")}}}""")];
    }

    private EncodedEvent[] ToEvents(PresenceChanges changes)
    {
        List<EncodedEvent> events = [];
        Add(PresenceFeature.JoinEvent, changes.Joined);
        Add(PresenceFeature.UpdateEvent, changes.Updated);
        if (changes.Left.Count > 0)
        {
            events.Add(Encode(PresenceFeature.LeaveEvent, Json(new LeftMembers(changes.Left), RealtimeJson.Default.LeftMembers)));
        }

        return [.. events];

        void Add(string name, IReadOnlyList<FoldedMember> members)
        {
            if (members.Count > 0)
            {
                events.Add(Encode(name, $$"""{"members":[{{string.Join(',', members.Select(static member => member.Json))}}]}"""));
            }
        }
    }

    private EncodedEvent Count(PresenceMembers members) => Encode(PresenceFeature.OccupancyEvent, Json(members.Occupancy, RealtimeJson.Default.Occupancy));

    private static string Json<T>(T payload, JsonTypeInfo<T> type) => JsonSerializer.Serialize(payload, type);

    private EncodedEvent Encode(string name, string payload) => EncodedEvent.Encode(new LoggedEvent
    {
        Topic = topic,
        Position = Position.Origin,
        Id = Guid.CreateVersion7(context.Time.GetUtcNow()).ToString(),
        Event = name,
        Version = 1,
        Payload = Encoding.UTF8.GetBytes(payload),
        Timestamp = context.Time.GetUtcNow(),
    });

    /// <summary>Not what a quality of service may leave out, nor what is declined with the topic's ephemeral events: it was asked for, and each change counts.</summary>
    private void Send(PresenceMode mode, IReadOnlyCollection<Subscription> to, EncodedEvent[] events)
    {
        if (events.Length == 0)
        {
            return;
        }

        foreach (var group in to.Where(subscription => subscription.Presence == mode && !subscription.HasEnded).GroupBy(static subscription => subscription.Feed!.Number))
        {
            EncodedEvent[] numbered = [.. events.Select(static encoded => encoded.Copy())];
            Array.ForEach(numbered, encoded => encoded.Number = group.Key);
            var batch = new EventBatch(numbered);
            var told = 0;
            foreach (var subscription in group)
            {
                subscription.Connection.Send(batch);
                told++;
            }

            context.Instruments.Told(topic.Tenant, told * numbered.Length, (long)told * batch.Bytes);
        }
    }
}
