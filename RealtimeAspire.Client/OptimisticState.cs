using System.Text.Json;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Client;

/// <summary>What changes a state: an event of the topic, or a publish of one's own that is to become one.</summary>
/// <param name="Id">The event's id.</param>
/// <param name="Event">What happened.</param>
/// <param name="EntityId">The thing it is about, where there is one.</param>
/// <param name="Payload">The event's.</param>
/// <param name="IsPending">It has been published here and has not come back yet.</param>
public sealed record Change(string? Id, string Event, string? EntityId, JsonElement Payload, bool IsPending);

/// <summary>
/// What a topic's events add up to, and on top of that what has been published here and is on its way: shown at once, confirmed when
/// it comes back as an event, taken back when the publish fails. Thread-safe.
/// </summary>
/// <typeparam name="TState">The state; not to be changed in place.</typeparam>
/// <param name="initial">Before any event.</param>
/// <param name="apply">The state after a change; must not change the one that it is given.</param>
public sealed class OptimisticState<TState>(TState initial, Func<TState, Change, TState> apply)
{
    private readonly Lock _lock = new();

    // Under the lock.
    private readonly List<Pending> _pending = [];
    private TState _confirmed = initial;
    private TState _value = initial;

    /// <summary>Raised at each change. Must not block.</summary>
    public event Action? Changed;

    /// <summary>The state with what is on its way.</summary>
    public TState Value
    {
        get
        {
            lock (_lock)
            {
                return _value;
            }
        }
    }

    /// <summary>How many changes are on their way.</summary>
    public int PendingCount
    {
        get
        {
            lock (_lock)
            {
                return _pending.Count;
            }
        }
    }

    /// <summary>The topic's next event: for <see cref="SubscribeOptions.OnEvent"/>.</summary>
    /// <param name="received">The event.</param>
    public void Receive(TopicEvent received)
    {
        ArgumentNullException.ThrowIfNull(received);
        Update(() =>
        {
            _confirmed = apply(_confirmed, new Change(received.Id, received.Event, received.Data.EntityId, received.Data.Payload, IsPending: false));
            _pending.RemoveAll(one => one.Change.Id == received.Id || (received.Position is { } position && one.IsWithin(position)));
        });
    }

    /// <summary>The state as it is after this position, read where events were lost: for <see cref="SubscribeOptions.Reload"/>.</summary>
    /// <param name="state">The state.</param>
    /// <param name="position">Up to which events are in it.</param>
    public void Reset(TState state, Position position) => Update(() =>
    {
        _confirmed = state;
        _pending.RemoveAll(one => one.IsWithin(position));
    });

    /// <summary>Publishes, and shows it at once.</summary>
    /// <typeparam name="T">The payload's type.</typeparam>
    /// <param name="client">Publishes.</param>
    /// <param name="topic">The topic's name.</param>
    /// <param name="eventName">What happened.</param>
    /// <param name="payload">Is written as JSON with camel case names.</param>
    /// <param name="entityId">The thing the event is about.</param>
    /// <exception cref="RealtimeException">As <see cref="RealtimeClient.PublishAsync"/>; then it is taken back.</exception>
    public Task<PublishReply> PublishAsync<T>(RealtimeClient client, string topic, string eventName, T payload, string? entityId = null)
    {
        ArgumentNullException.ThrowIfNull(client);
        return PublishAsync(id => client.PublishAsync(topic, eventName, payload, id, entityId), eventName, JsonSerializer.SerializeToElement(payload, JsonSerializerOptions.Web), entityId);
    }

    internal async Task<PublishReply> PublishAsync(Func<string, Task<PublishReply>> publish, string eventName, JsonElement payload, string? entityId)
    {
        var id = Guid.CreateVersion7().ToString();
        var pending = new Pending(new Change(id, eventName, entityId, payload, IsPending: true));
        Update(() => _pending.Add(pending));
        try
        {
            var reply = await publish(id);
            Update(() =>
            {
                pending.Position = reply.Position;
                // An ephemeral event is over when it is taken.
                if (reply.Position is null)
                {
                    _pending.Remove(pending);
                }
            });
            return reply;
        }
        catch
        {
            Update(() => _pending.Remove(pending));
            throw;
        }
    }

    private void Update(Action update)
    {
        lock (_lock)
        {
            update();
            _value = _pending.Aggregate(_confirmed, (state, one) => apply(state, one.Change));
        }

        Changed?.Invoke();
    }

    private sealed class Pending(Change change)
    {
        public Change Change => change;

        /// <summary>Where the server has put it, once it has answered.</summary>
        public Position? Position { get; set; }

        /// <summary>Whether it is in what has been read up to there.</summary>
        public bool IsWithin(Position position) => Position is { } at && at.Epoch == position.Epoch && at.Offset <= position.Offset;
    }
}
