using System.Text.Json;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Client;

/// <summary>
/// Where people point on a topic: says it of oneself, every 25 ms at most and the newest, and keeps the newest of each other. A cursor
/// stays until its user leaves, where it is known who is there, or for a time without a move. Thread-safe.
/// </summary>
public sealed class Cursors : IDisposable
{
    private const string Event = "cursor";

    private static readonly TimeSpan Batch = TimeSpan.FromMilliseconds(25);

    private readonly RealtimeClient _client;
    private readonly string _topic;
    private readonly Presence? _presence;
    private readonly TimeSpan _lasts;
    private readonly TimeProvider _time;
    private readonly ITimer _timer;
    private readonly Lock _lock = new();

    // Under the lock.
    private readonly SortedDictionary<string, (Cursor Cursor, long At)> _heard = new(StringComparer.Ordinal);
    private Cursor? _waiting;
    private bool _isSaying;

    /// <summary>Of a topic.</summary>
    /// <param name="client">Over which one's own is said.</param>
    /// <param name="topic">The topic's name.</param>
    /// <param name="presence">Who is there: who leaves takes his cursor with him.</param>
    /// <param name="lasts">For how long a cursor that does not move is shown; 30 s by default.</param>
    /// <param name="time">The clock; the system's by default.</param>
    public Cursors(RealtimeClient client, string topic, Presence? presence = null, TimeSpan? lasts = null, TimeProvider? time = null)
    {
        (_client, _topic, _presence, _lasts, _time) = (client, topic, presence, lasts ?? TimeSpan.FromSeconds(30), time ?? TimeProvider.System);
        if (presence is not null)
        {
            presence.Left += Forget;
        }

        _timer = _time.CreateTimer(static self => ((Cursors)self!).Say(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Raised when a cursor has moved, or has gone. Must not block.</summary>
    public event Action? Changed;

    /// <summary>The newest of each user.</summary>
    public IReadOnlyDictionary<string, Cursor> All
    {
        get
        {
            lock (_lock)
            {
                return _heard.Where(user => _time.GetElapsedTime(user.Value.At) < _lasts).ToDictionary(static user => user.Key, static user => user.Value.Cursor, StringComparer.Ordinal);
            }
        }
    }

    /// <summary>The user points there: call it with each move.</summary>
    /// <param name="cursor">Where, and what he has selected.</param>
    public void Move(Cursor cursor)
    {
        ArgumentNullException.ThrowIfNull(cursor);
        lock (_lock)
        {
            _waiting = cursor;
            if (!_isSaying)
            {
                _isSaying = true;
                _timer.Change(Batch, Timeout.InfiniteTimeSpan);
            }
        }
    }

    /// <summary>The topic's next event: for <see cref="SubscribeOptions.OnEvent"/>.</summary>
    /// <param name="received">The event.</param>
    /// <returns>Whether it was one of these.</returns>
    public bool Receive(TopicEvent received)
    {
        ArgumentNullException.ThrowIfNull(received);
        if (received is not { Position: null, Event: Event, Data.UserId: { } user })
        {
            return false;
        }

        var cursor = received.Data.Payload.Deserialize(RealtimeJson.Default.Cursor)!;
        lock (_lock)
        {
            _heard[user] = (cursor, _time.GetTimestamp());
        }

        Changed?.Invoke();
        return true;
    }

    /// <summary>Says nothing more.</summary>
    public void Dispose()
    {
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

    private void Say()
    {
        Cursor? cursor;
        lock (_lock)
        {
            (cursor, _waiting) = (_waiting, null);
            _isSaying = cursor is not null;
        }

        if (cursor is not null)
        {
            _ = SayAsync(cursor);
        }
    }

    private async Task SayAsync(Cursor cursor)
    {
        try
        {
            await _client.PublishAsync(_topic, Event, cursor, queue: false);
        }
        catch (RealtimeException)
        {
            // Later it is worth nothing.
        }

        // The next leaves when this one has arrived: a slow network has fewer of them, not a queue.
        _timer.Change(Batch, Timeout.InfiniteTimeSpan);
    }
}
