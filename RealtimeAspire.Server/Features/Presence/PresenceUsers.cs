using System.Collections.Concurrent;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Features.Presence;

/// <summary>A user in his tenant.</summary>
internal readonly record struct UserName(string Tenant, string User);

/// <summary>What a user has chosen to be, on all topics and devices. Of two the later one counts.</summary>
/// <param name="Status">Online: nothing special.</param>
/// <param name="Text">What he says of it.</param>
/// <param name="At">When, in milliseconds; 0: never.</param>
internal sealed record UserChoice(PresenceStatus Status, string? Text, long At)
{
    public static readonly UserChoice None = new(PresenceStatus.Online, null, 0);
}

/// <summary>
/// The users who are on topics of this node, each with his places there and what he has chosen. Without Redis also those who were:
/// there is nobody else who would remember them.
/// </summary>
/// <param name="time">Measures.</param>
/// <param name="redis">Null: there are no other nodes.</param>
internal sealed class PresenceUsers(TimeProvider time, RedisPresence? redis = null)
{
    // Of those who were, without Redis.
    private const int MaxRemembered = 100_000;

    private readonly ConcurrentDictionary<UserName, LocalUser> _users = new();
    private readonly Lock _lock = new();

    /// <summary>A connection of a user has a place on a topic.</summary>
    /// <returns>What he has chosen, as far as that is known already.</returns>
    public UserChoice Enter(UserName user, PresenceTopic topic, Guid connection)
    {
        bool isFirst;
        UserChoice choice;
        lock (_lock)
        {
            var local = _users.GetOrAdd(user, static _ => new LocalUser());
            isFirst = local.Places.Count == 0;
            local.Places.Add((topic, connection));
            choice = local.Choice;
        }

        if (isFirst && redis is not null)
        {
            _ = Background.Run(() => SayAsync(user));
        }

        return choice;
    }

    /// <summary>It has it no longer.</summary>
    public void Leave(UserName user, PresenceTopic topic, Guid connection)
    {
        lock (_lock)
        {
            if (!_users.TryGetValue(user, out var local) || !local.Places.Remove((topic, connection)) || local.Places.Count > 0)
            {
                return;
            }

            local.Seen = time.GetUtcNow();
            if (redis is not null || _users.Count > MaxRemembered)
            {
                _users.TryRemove(user, out _);
            }
        }

        if (redis is not null)
        {
            _ = Background.Run(() => SayAsync(user));
        }
    }

    /// <summary>What a user chooses; what is null stays as it was.</summary>
    /// <exception cref="RealtimeException"><c>nodes_unreachable</c>: nobody could be told.</exception>
    public async Task ChooseAsync(UserName user, PresenceStatus? status, string? text)
    {
        var before = await ChoiceOfAsync(user);
        var choice = new UserChoice(
            status ?? before.Status,
            text is null ? before.Text : text.Length == 0 ? null : text,
            Math.Max(time.GetUtcNow().ToUnixTimeMilliseconds(), before.At + 1));
        Learn(user, choice);
        if (redis is not null && !await redis.ChooseAsync(user, choice) && !_users.ContainsKey(user))
        {
            throw new RealtimeException(ErrorCode.NodesUnreachable);
        }
    }

    /// <summary>What has been chosen somewhere; what is older than what is known changes nothing.</summary>
    public void Learn(UserName user, UserChoice choice)
    {
        (PresenceTopic Topic, Guid Connection)[] places;
        lock (_lock)
        {
            if (redis is null)
            {
                _users.GetOrAdd(user, static _ => new LocalUser());
            }

            if (!_users.TryGetValue(user, out var local) || local.Choice.At >= choice.At)
            {
                return;
            }

            local.Choice = choice;
            places = [.. local.Places];
        }

        foreach (var (topic, connection) in places)
        {
            topic.Change(connection, entry => entry with { Chosen = choice.Status, Text = choice.Text, ChosenAt = choice.At });
        }
    }

    /// <summary>How a user is.</summary>
    /// <param name="user">Who.</param>
    /// <param name="isAlive">Whether a node is there.</param>
    /// <exception cref="RealtimeException"><c>nodes_unreachable</c>.</exception>
    public async Task<UserPresence> FindAsync(UserName user, Func<long, bool> isAlive)
    {
        var (choice, isHere, seen) = Local(user);
        if (redis is not null)
        {
            var (known, nodes, left) = await redis.FindAsync(user) ?? throw new RealtimeException(ErrorCode.NodesUnreachable);
            choice = choice.At > known.At ? choice : known;
            isHere |= nodes.Any(isAlive);
            seen = left ?? seen;
        }

        return new UserPresence(user.User, isHere ? choice.Status : PresenceStatus.Offline, choice.Text, isHere ? null : seen);
    }

    /// <summary>Places of a connection, wherever it has some.</summary>
    public IReadOnlyList<PresenceTopic> PlacesOf(UserName user, Guid connection)
    {
        lock (_lock)
        {
            return _users.TryGetValue(user, out var local) ? [.. local.Places.Where(place => place.Connection == connection).Select(static place => place.Topic)] : [];
        }
    }

    /// <summary>Redis may have forgotten.</summary>
    public async Task WriteAgainAsync()
    {
        if (redis is null)
        {
            return;
        }

        foreach (var (user, local) in _users)
        {
            if (!redis.IsConnected)
            {
                return;
            }

            await SayAsync(user);
            if (local.Choice.At > 0)
            {
                await redis.ChooseAsync(user, local.Choice);
            }
        }
    }

    /// <summary>Says in Redis whether a user is here, and hears what he has chosen. Again, if that has changed meanwhile: what was said last is so.</summary>
    private async Task SayAsync(UserName user)
    {
        bool isHere;
        do
        {
            isHere = Local(user).IsHere;
            if (!isHere)
            {
                await redis!.LeaveAsync(user, time.GetUtcNow());
            }
            else if (await redis!.EnterAsync(user) is { } choice)
            {
                Learn(user, choice);
            }
        }
        while (Local(user).IsHere != isHere);
    }

    private async Task<UserChoice> ChoiceOfAsync(UserName user)
    {
        var (choice, _, _) = Local(user);
        return redis is not null && await redis.FindAsync(user) is { } known && known.Choice.At > choice.At ? known.Choice : choice;
    }

    private (UserChoice Choice, bool IsHere, DateTimeOffset? Seen) Local(UserName user)
    {
        lock (_lock)
        {
            return _users.TryGetValue(user, out var local) ? (local.Choice, local.Places.Count > 0, local.Seen) : (UserChoice.None, false, null);
        }
    }

    // Under the lock.
    private sealed class LocalUser
    {
        public HashSet<(PresenceTopic Topic, Guid Connection)> Places { get; } = [];

        public UserChoice Choice { get; set; } = UserChoice.None;

        public DateTimeOffset? Seen { get; set; }
    }
}
