using System.Runtime.CompilerServices;
using System.Threading.Channels;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Client;

/// <summary>What a subscription needs of its client.</summary>
internal interface ISubscriptionOwner
{
    /// <summary>Subscribe again, from where it is.</summary>
    void Rejoin(TopicSubscription subscription);

    /// <summary>For now: it has too much to do.</summary>
    void Pause(TopicSubscription subscription);

    /// <summary>For good.</summary>
    void Leave(TopicSubscription subscription);
}

/// <summary>
/// A topic's events, in order and each once, across reconnects. Enumerate it once, or give a <see cref="SubscribeOptions.OnEvent"/>.
/// </summary>
/// <example><code>await foreach (var e in subscription) { Console.WriteLine(e.Event); }</code></example>
public sealed class TopicSubscription : IAsyncEnumerable<TopicEvent>, IAsyncDisposable
{
    private readonly ISubscriptionOwner _owner;
    private readonly SubscribeOptions _options;
    private readonly Sequence _sequence;
    private readonly TaskCompletionSource<RealtimeException?> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // Written under the lock. With one reader it wakes him without an allocation.
    private readonly Channel<Entry> _queue = Channel.CreateUnbounded<Entry>(new() { SingleReader = true });
    private readonly Lock _lock = new();

    // Under the lock.
    private readonly List<TopicEvent> _taken = [];
    private int _queued;
    private Position? _position;
    private bool _isPaused;

    internal TopicSubscription(ISubscriptionOwner owner, string topic, SubscribeOptions options)
    {
        (_owner, Topic, _options, _position) = (owner, topic, options, options.Position);
        _sequence = new Sequence(options.Position, options.Qos is { Mode: not QosMode.All });
    }

    /// <summary>The topic's name.</summary>
    public string Topic { get; }

    /// <summary>After the last event that the application has dealt with; null until there is one, or the server has said where it starts.</summary>
    public Position? Position
    {
        get
        {
            lock (_lock)
            {
                return _position;
            }
        }
    }

    /// <summary>Completes when it has ended: with null where the application has left, else with what went wrong. Never fails.</summary>
    public Task<RealtimeException?> Ended => _ended.Task;

    internal bool IsPaused
    {
        get
        {
            lock (_lock)
            {
                return _isPaused;
            }
        }
    }

    /// <summary>The events, until the subscription is disposed or <paramref name="cancellationToken"/> is cancelled.</summary>
    /// <exception cref="RealtimeException">The server ended the subscription.</exception>
    public async IAsyncEnumerator<TopicEvent> GetAsyncEnumerator(CancellationToken cancellationToken = default)
    {
        while (await _queue.Reader.WaitToReadAsync(cancellationToken))
        {
            for (var next = Take(done: null); next is not null; next = Take(next.Value.Event?.Position))
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (next.Value.Lost is { } lost)
                {
                    await ReloadAsync(lost);
                    continue;
                }

                yield return next.Value.Event!;
                await SaveAsync(next.Value.Event!);
            }
        }

        if (await _ended.Task is { } error)
        {
            throw error;
        }
    }

    /// <summary>Leaves the topic.</summary>
    public ValueTask DisposeAsync()
    {
        _owner.Leave(this);
        End(null);
        return ValueTask.CompletedTask;
    }

    /// <summary>Hands its events to the application's handler, if there is one.</summary>
    internal async Task RunAsync()
    {
        if (_options.OnEvent is not { } handle)
        {
            return;
        }

        try
        {
            while (await _queue.Reader.WaitToReadAsync())
            {
                for (var next = Take(done: null); next is not null; next = Take(next.Value.Event?.Position))
                {
                    if (next.Value.Lost is { } lost)
                    {
                        await ReloadAsync(lost);
                        continue;
                    }

                    using (next.Value.Event!.StartActivity())
                    {
                        await handle(next.Value.Event!);
                    }

                    await SaveAsync(next.Value.Event!);
                }
            }
        }
        // Whatever the handler throws.
#pragma warning disable CA1031
        catch (Exception exception)
#pragma warning restore CA1031
        {
            _owner.Leave(this);
            End(exception as RealtimeException ?? new RealtimeException(ClientErrors.HandlerFailed, ClientErrors.HandlerFailed.Sentence, exception));
        }
    }

    /// <summary>From now on what arrives waits for the reply.</summary>
    internal SubscribeRequest BeginJoin()
    {
        lock (_lock)
        {
            _sequence.Hold();
            var (position, rewind, consumer) = (_sequence.Position, _options.Rewind, _options.Consumer);
            var request = new SubscribeRequest { Topic = Topic, Qos = _options.Qos, Ephemeral = _options.Ephemeral ?? true, Presence = PresenceOf(_options.Presence) };
            return position is not null ? request with { Position = position }
                : rewind is not null ? request with { Rewind = rewind }
                : consumer is not null ? request with { From = "cursor", Consumer = consumer }
                : request;
        }
    }

    /// <summary>Merges the reply with what arrived before it.</summary>
    /// <returns>False: it is not live; join again.</returns>
    internal bool EndJoin(SubscribeReply reply)
    {
        bool isWhole;
        lock (_lock)
        {
            isWhole = _sequence.Reply(reply, _taken);
            if (reply.Recovery is Recovery.Gap or Recovery.NewEpoch)
            {
                Enqueue_NeedsLock(new Entry(null, new Lost(reply.Recovery, reply.Position)));
            }
            else
            {
                _position ??= reply.Events.Count > 0 ? null : _sequence.Position;
            }

            Add_NeedsLock();
        }

        if (_options.OnRecovery is { } told)
        {
            Application.Tell(() => told(reply.Recovery, reply.Position));
        }

        return isWhole && !reply.More;
    }

    /// <summary>An event from the connection.</summary>
    internal void Arrive(TopicEvent arrived)
    {
        // A stream cannot be told to leave them out.
        if (_options.Ephemeral is false && arrived.Position is null && !arrived.Event.StartsWith("presence:", StringComparison.Ordinal))
        {
            return;
        }

        lock (_lock)
        {
            var isWhole = _sequence.Arrive(arrived, _taken);
            Add_NeedsLock();
            if (!isWhole)
            {
                _owner.Rejoin(this);
            }
        }
    }

    internal void Obey(Control control)
    {
        if (control.Type == Control.Reset)
        {
            _owner.Rejoin(this);
        }
        else if (control.Type == Control.Dropped && _options.OnDropped is { } told)
        {
            Application.Tell(() => told(control.Count ?? 0));
        }
    }

    internal void End(RealtimeException? error)
    {
        _ended.TrySetResult(error);
        _queue.Writer.TryComplete();
    }

    private static string? PresenceOf(PresenceMode mode) => mode switch
    {
        PresenceMode.Members => "members",
        PresenceMode.Occupancy => "occupancy",
        _ => null,
    };

    private void Add_NeedsLock()
    {
        foreach (var taken in _taken)
        {
            Enqueue_NeedsLock(new Entry(taken, null));
        }

        _taken.Clear();
        if (_queued > _options.MaxQueued && !_isPaused)
        {
            _isPaused = true;
            // What still comes is read again afterwards.
            _sequence.Hold();
            _owner.Pause(this);
        }
    }

    private ValueTask SaveAsync(TopicEvent handled) => _options.Positions is { } positions && handled.Position is { } position
        ? positions.SaveAsync(Topic, position)
        : ValueTask.CompletedTask;

    private void Enqueue_NeedsLock(Entry entry) => _queued += _queue.Writer.TryWrite(entry) ? 1 : 0;

    /// <summary>The next one; null when there is none yet.</summary>
    /// <param name="done">After what the application has dealt with since.</param>
    private Entry? Take(Position? done)
    {
        lock (_lock)
        {
            _position = done ?? _position;
            if (!_queue.Reader.TryRead(out var next))
            {
                return null;
            }

            _queued--;
            GoOn_NeedsLock();
            return next;
        }
    }

    /// <summary>Comes back, where it has left because too much waited.</summary>
    private void GoOn_NeedsLock()
    {
        if (_isPaused && _queued <= _options.MaxQueued / 2)
        {
            _isPaused = false;
            _owner.Rejoin(this);
        }
    }

    private async Task ReloadAsync(Lost lost)
    {
        var state = (_options.Reload is { } reload ? await reload(lost) : null) ?? lost.Position;
        await (_options.Positions?.SaveAsync(Topic, state) ?? ValueTask.CompletedTask);
        lock (_lock)
        {
            _position = state;
            if (state.Epoch != lost.Position.Epoch || state.Offset < lost.Position.Offset)
            {
                // The state is older than what follows here.
                Clear_NeedsLock();
                _sequence.MoveTo(state);
                _isPaused = false;
                _owner.Rejoin(this);
                return;
            }

            // It has what waits here and what is on its way, up to its position.
            Clear_NeedsLock().Where(entry => entry.Lost is not null || entry.Event!.Position is not { } at || at.Offset > state.Offset)
                .ToList().ForEach(Enqueue_NeedsLock);
            if (_sequence.Position is { } reached && reached.Epoch == state.Epoch && reached.Offset < state.Offset)
            {
                _sequence.MoveTo(state);
            }

            GoOn_NeedsLock();
        }
    }

    private List<Entry> Clear_NeedsLock()
    {
        var all = new List<Entry>();
        while (_queue.Reader.TryRead(out var entry))
        {
            all.Add(entry);
        }

        _queued = 0;
        return all;
    }

    private readonly record struct Entry(TopicEvent? Event, Lost? Lost);
}
