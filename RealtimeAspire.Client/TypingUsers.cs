using System.Text.Json;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Client;

/// <summary>
/// Who types on a topic: says it of oneself, as often as it is worth, and keeps the set of the others. Whoever has said it is in it for
/// six seconds, until he says that he has stopped or publishes something that is kept, or until he leaves, where it is known who is there. Thread-safe.
/// </summary>
/// <example>
/// <code>
/// var typing = new TypingUsers(client, "room:general");
/// typing.Changed += () => Show(typing.Users);
/// await using var room = await client.SubscribeAsync("room:general", new SubscribeOptions { OnEvent = e => { typing.Receive(e); return Task.CompletedTask; } });
/// typing.Typed();
/// </code>
/// </example>
public sealed class TypingUsers : IDisposable
{
    private const string Event = "typing";

    /// <summary>For so long it holds that somebody types.</summary>
    public static readonly TimeSpan Lasts = TimeSpan.FromSeconds(6);

    // Said again well before it is over, and no more often.
    private static readonly TimeSpan Again = TimeSpan.FromSeconds(2.5);

    private readonly RealtimeClient _client;
    private readonly string _topic;
    private readonly Presence? _presence;
    private readonly TimeProvider _time;
    private readonly ITimer _timer;
    private readonly Lock _lock = new();

    // Under the lock.
    private readonly SortedDictionary<string, long> _heard = new(StringComparer.Ordinal);
    private long? _saidAt;

    /// <summary>Of a topic.</summary>
    /// <param name="client">Over which one's own is said.</param>
    /// <param name="topic">The topic's name.</param>
    /// <param name="presence">Who is there: who leaves types no more.</param>
    /// <param name="time">The clock; the system's by default.</param>
    public TypingUsers(RealtimeClient client, string topic, Presence? presence = null, TimeProvider? time = null)
    {
        (_client, _topic, _presence, _time) = (client, topic, presence, time ?? TimeProvider.System);
        if (presence is not null)
        {
            presence.Left += Forget;
        }

        var second = TimeSpan.FromSeconds(1);
        _timer = _time.CreateTimer(static self => ((TypingUsers)self!).Expire(), this, second, second);
    }

    /// <summary>Raised when the set has changed. Must not block.</summary>
    public event Action? Changed;

    /// <summary>Who types now, by name; oneself too, where the server says so.</summary>
    public IReadOnlyList<string> Users
    {
        get
        {
            lock (_lock)
            {
                return [.. _heard.Where(user => _time.GetElapsedTime(user.Value) < Lasts).Select(static user => user.Key)];
            }
        }
    }

    /// <summary>The user has typed something: call it with each key. What cannot be said is not said.</summary>
    public void Typed()
    {
        lock (_lock)
        {
            if (_saidAt is { } at && _time.GetElapsedTime(at) < Again)
            {
                return;
            }

            _saidAt = _time.GetTimestamp();
        }

        _ = SayAsync(active: true);
    }

    /// <summary>The user has sent what he typed, or has left it.</summary>
    public void Stopped()
    {
        lock (_lock)
        {
            if (_saidAt is null)
            {
                return;
            }

            _saidAt = null;
        }

        _ = SayAsync(active: false);
    }

    /// <summary>The topic's next event: for <see cref="SubscribeOptions.OnEvent"/>.</summary>
    /// <param name="received">The event.</param>
    /// <returns>Whether it was one of these.</returns>
    public bool Receive(TopicEvent received)
    {
        ArgumentNullException.ThrowIfNull(received);
        // What he typed is here before it is told that he has stopped.
        if (received is { Position: not null, Data.UserId: { } writer })
        {
            Forget(writer);
            return false;
        }

        if (received is not { Event: Event, Data.UserId: { } user })
        {
            return false;
        }

        if (!received.Data.Payload.Deserialize(RealtimeJson.Default.Typing)!.Active)
        {
            Forget(user);
            return true;
        }

        bool isNew;
        lock (_lock)
        {
            isNew = !_heard.ContainsKey(user);
            _heard[user] = _time.GetTimestamp();
        }

        if (isNew)
        {
            Changed?.Invoke();
        }

        return true;
    }

    /// <summary>Keeps the set no longer, and says that the user has stopped.</summary>
    public void Dispose()
    {
        Stopped();
        _timer.Dispose();
        if (_presence is not null)
        {
            _presence.Left -= Forget;
        }
    }

    private void Forget(string user)
    {
        lock (_lock)
        {
            if (!_heard.Remove(user))
            {
                return;
            }
        }

        Changed?.Invoke();
    }

    private void Expire()
    {
        lock (_lock)
        {
            var over = _heard.Where(user => _time.GetElapsedTime(user.Value) >= Lasts).Select(static user => user.Key).ToArray();
            if (over.Length == 0)
            {
                return;
            }

            Array.ForEach(over, user => _heard.Remove(user));
        }

        Changed?.Invoke();
    }

    private async Task SayAsync(bool active)
    {
        try
        {
            await _client.PublishAsync(_topic, Event, new Typing(active), queue: false);
        }
        catch (RealtimeException)
        {
            // Later it is worth nothing.
        }
    }
}
