using System.Text.Json;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Client;

/// <summary>
/// Who is on a topic: a live list, kept up by the topic's subscription. Make one, and give its <see cref="Options"/> to
/// <see cref="RealtimeClient.SubscribeAsync"/>. Thread-safe.
/// </summary>
/// <example>
/// <code>
/// var presence = new Presence();
/// presence.Joined += user => Console.WriteLine($"{user.User} is here");
/// await using var room = await client.SubscribeAsync("room:general", presence.Options(new SubscribeOptions { OnEvent = Show }));
/// </code>
/// </example>
public sealed class Presence
{
    private readonly Lock _lock = new();

    // Under the lock.
    private readonly SortedDictionary<string, PresentUser> _users = new(StringComparer.Ordinal);
    private Occupancy _occupancy = new(0, 0);
    private bool _isComplete = true;

    /// <summary>Raised for each who has come. Must not block; this holds for the others too.</summary>
    public event Action<PresentUser>? Joined;

    /// <summary>Raised for each who is otherwise than before.</summary>
    public event Action<PresentUser>? Updated;

    /// <summary>Raised with the name of each who has gone.</summary>
    public event Action<string>? Left;

    /// <summary>Raised after any change, of the list or of how many there are.</summary>
    public event Action? Changed;

    /// <summary>Who is there, by name. None where there are too many to be told one by one: see <see cref="IsComplete"/>.</summary>
    public IReadOnlyList<PresentUser> Users
    {
        get
        {
            lock (_lock)
            {
                return [.. _users.Values];
            }
        }
    }

    /// <summary>How many are there.</summary>
    public Occupancy Occupancy
    {
        get
        {
            lock (_lock)
            {
                return _occupancy;
            }
        }
    }

    /// <summary>False: the topic is large, and only how many there are is kept up. Read who by pages, <see cref="RealtimeClient.ListPresenceAsync"/>.</summary>
    public bool IsComplete
    {
        get
        {
            lock (_lock)
            {
                return _isComplete;
            }
        }
    }

    /// <summary>What has a subscription keep this up. An <see cref="SubscribeOptions.OnEvent"/> is not called with the events that do so.</summary>
    /// <param name="options">What else the subscription is to do; it has an <see cref="SubscribeOptions.OnEvent"/>, or its events are of no interest.</param>
    public SubscribeOptions Options(SubscribeOptions? options = null)
    {
        var own = options ?? new SubscribeOptions();
        return own with
        {
            Presence = PresenceMode.Members,
            OnEvent = received => Receive(received) ? Task.CompletedTask : own.OnEvent?.Invoke(received) ?? Task.CompletedTask,
        };
    }

    /// <summary>The topic's next event, for who reads them by himself.</summary>
    /// <param name="received">The event.</param>
    /// <returns>Whether it was one of these.</returns>
    public bool Receive(TopicEvent received)
    {
        ArgumentNullException.ThrowIfNull(received);
        // What is in a log may have such a name; the server's own is in none.
        if (received.Position is not null || received.Data.UserId is not null || !received.Event.StartsWith("presence:", StringComparison.Ordinal))
        {
            return false;
        }

        var changes = new Changes([], [], []);
        lock (_lock)
        {
            Take_NeedsLock(received, changes);
        }

        changes.Joined.ForEach(user => Joined?.Invoke(user));
        changes.Updated.ForEach(user => Updated?.Invoke(user));
        changes.Left.ForEach(user => Left?.Invoke(user));
        Changed?.Invoke();
        return true;
    }

    private void Take_NeedsLock(TopicEvent received, Changes changes)
    {
        var payload = received.Data.Payload;
        switch (received.Event)
        {
            case "presence:members":
                var all = payload.Deserialize(RealtimeJson.Default.PresentMembers)!;
                // After a reconnect: what is as it was has not changed.
                var there = all.Members.Select(static user => user.User).ToHashSet(StringComparer.Ordinal);
                foreach (var gone in _users.Keys.Where(user => !there.Contains(user)).ToArray())
                {
                    _users.Remove(gone);
                    changes.Left.Add(gone);
                }

                Put_NeedsLock(all.Members, changes);
                (_isComplete, _occupancy) = (all.Complete, all.Occupancy);
                return;
            case "presence:join" or "presence:update":
                Put_NeedsLock(payload.Deserialize(RealtimeJson.Default.ChangedMembers)!.Members, changes);
                break;
            case "presence:leave":
                foreach (var user in payload.Deserialize(RealtimeJson.Default.LeftMembers)!.Users.Where(_users.Remove))
                {
                    changes.Left.Add(user);
                }

                break;
            case "presence:occupancy":
                _occupancy = payload.Deserialize(RealtimeJson.Default.Occupancy)!;
                return;
        }

        _occupancy = new Occupancy(_users.Values.Sum(static user => user.Connections.Count), _users.Count);
    }

    private void Put_NeedsLock(IReadOnlyList<PresentUser> users, Changes changes)
    {
        foreach (var user in users)
        {
            if (!_users.TryGetValue(user.User, out var before))
            {
                changes.Joined.Add(user);
            }
            else if (!Same(before, user))
            {
                changes.Updated.Add(user);
            }

            _users[user.User] = user;
        }
    }

    private static bool Same(PresentUser one, PresentUser other) =>
        JsonSerializer.Serialize(one, RealtimeJson.Default.PresentUser) == JsonSerializer.Serialize(other, RealtimeJson.Default.PresentUser);

    private sealed record Changes(List<PresentUser> Joined, List<PresentUser> Updated, List<string> Left);
}
