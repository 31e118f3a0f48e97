using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using RealtimeAspire.Client.Transports;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Client;

/// <summary>A client's subscriptions: joins them, all in one call after a reconnect, and hands each what comes for it.</summary>
internal sealed class Subscriptions(RealtimeClientOptions options) : ISubscriptionOwner
{
    private const int MaxJoinsAtOnce = 200;

    private readonly ConcurrentDictionary<string, TopicSubscription> _subscriptions = new(StringComparer.Ordinal);
    private readonly ConditionalWeakTable<TopicSubscription, Joining> _joining = [];
    private readonly Lock _lock = new();

    // Under the lock.
    private readonly HashSet<TopicSubscription> _joins = [];
    private bool _isJoining;

    private volatile ILink? _link;
    private volatile RealtimeException? _closed;

    /// <summary>There is a connection, or there is none any more.</summary>
    public void Connect(ILink? link)
    {
        _link = link;
        foreach (var (_, subscription) in _subscriptions)
        {
            if (link is not null && !subscription.IsPaused)
            {
                Join(subscription);
            }
        }
    }

    /// <summary>Completes when the server has accepted.</summary>
    /// <exception cref="RealtimeException">Refused or failed, with the server's code or <c>closed</c>.</exception>
    public async Task<TopicSubscription> AddAsync(string topic, SubscribeOptions subscribe, CancellationToken cancellationToken)
    {
        if (subscribe is { Position: null, Positions: { } positions })
        {
            subscribe = subscribe with { Position = await positions.LoadAsync(topic, cancellationToken) };
        }

        var subscription = new TopicSubscription(this, topic, subscribe);
        var joining = _joining.GetOrCreateValue(subscription);
        TopicSubscription? replaced = null;
        _subscriptions.AddOrUpdate(topic, subscription, (_, current) =>
        {
            replaced = current;
            return subscription;
        });
        replaced?.End(new RealtimeException(ClientErrors.Replaced));
        if (_closed is { } reason)
        {
            EndOne(subscription, reason);
        }

        Join(subscription);
        try
        {
            if (await Task.WhenAny(joining.Accepted.Task, subscription.Ended).WaitAsync(cancellationToken) == subscription.Ended)
            {
                throw await subscription.Ended ?? new RealtimeException(ClientErrors.Closed);
            }
        }
        catch (OperationCanceledException)
        {
            await subscription.DisposeAsync();
            throw;
        }

        _ = Task.Run(subscription.RunAsync, CancellationToken.None);
        return subscription;
    }

    public void Arrive(TopicEvent[] events)
    {
        foreach (var arrived in events)
        {
            if (_subscriptions.TryGetValue(arrived.Topic, out var subscription))
            {
                subscription.Arrive(arrived);
            }
        }
    }

    public void Obey(Control control)
    {
        if (control.Topic is not { } topic)
        {
            return;
        }

        if (!_subscriptions.TryGetValue(topic, out var subscription))
        {
            if (control is { Type: Control.Subscribed, Position: { } position })
            {
                options.OnSubscribed?.Invoke(topic, position);
            }

            return;
        }

        if (control.Type == Control.Unsubscribed)
        {
            var error = ErrorCode.Find(control.Code ?? ErrorCode.Forbidden.Code);
            EndOne(subscription, new RealtimeException(error, control.Reason ?? error.Sentence));
        }
        else
        {
            subscription.Obey(control);
        }
    }

    /// <summary>For good.</summary>
    public void Close(RealtimeException reason)
    {
        _closed = reason;
        foreach (var (_, subscription) in _subscriptions)
        {
            EndOne(subscription, reason);
        }
    }

    void ISubscriptionOwner.Rejoin(TopicSubscription subscription) => Join(subscription);

    void ISubscriptionOwner.Pause(TopicSubscription subscription) => _ = UnsubscribeAsync(subscription.Topic);

    void ISubscriptionOwner.Leave(TopicSubscription subscription)
    {
        if (_subscriptions.TryRemove(KeyValuePair.Create(subscription.Topic, subscription)))
        {
            _ = UnsubscribeAsync(subscription.Topic);
        }
    }

    private async Task UnsubscribeAsync(string topic)
    {
        try
        {
            await (_link?.UnsubscribeAsync(topic, CancellationToken.None) ?? Task.CompletedTask);
        }
        catch (RealtimeException)
        {
            // Gone with its connection.
        }
    }

    private void Join(TopicSubscription subscription)
    {
        lock (_lock)
        {
            _joins.Add(subscription);
            if (_isJoining)
            {
                return;
            }

            _isJoining = true;
        }

        _ = Task.Run(JoinAllAsync);
    }

    /// <summary>One call at a time, for all that wait.</summary>
    private async Task JoinAllAsync()
    {
        while (true)
        {
            TopicSubscription[] some;
            ILink? link;
            lock (_lock)
            {
                link = _link;
                some = link is null ? [] : [.. _joins.Take(MaxJoinsAtOnce)];
                _joins.ExceptWith(some);
                if (some.Length == 0)
                {
                    _isJoining = false;
                    return;
                }
            }

            await JoinSomeAsync(link!, Array.FindAll(some, IsCurrent));
        }
    }

    private async Task JoinSomeAsync(ILink link, TopicSubscription[] some)
    {
        if (some.Length == 0)
        {
            return;
        }

        try
        {
            var requests = Array.ConvertAll(some, static one => one.BeginJoin());
            var outcomes = await link.SubscribeAsync(requests, CancellationToken.None).WithinAsync(options.AnswerTimeout, options.Time);
            foreach (var (one, outcome) in some.Zip(outcomes))
            {
                Joined(one, outcome);
            }
        }
        catch (RealtimeException exception)
        {
            foreach (var one in some)
            {
                if (!exception.Error.Retryable)
                {
                    EndOne(one, exception);
                }
                else if (_link == link)
                {
                    _ = JoinLaterAsync(one);
                }
            }
        }
    }

    private void Joined(TopicSubscription subscription, SubscribeOutcome outcome)
    {
        if (!IsCurrent(subscription))
        {
            return;
        }

        var joining = _joining.GetOrCreateValue(subscription);
        if (outcome.Reply is { } reply)
        {
            joining.Failed = 0;
            var isLive = subscription.EndJoin(reply);
            // With more than may wait it goes on when the application has dealt with half of that, for which it has to be given it.
            if (isLive || subscription.IsPaused)
            {
                joining.Accepted.TrySetResult();
            }
            else
            {
                Join(subscription);
            }
        }
        else if (outcome.Error!.Retryable)
        {
            _ = JoinLaterAsync(subscription);
        }
        else
        {
            EndOne(subscription, new RealtimeException(ErrorCode.Find(outcome.Error.Code), outcome.Error.Message));
        }
    }

    private async Task JoinLaterAsync(TopicSubscription subscription)
    {
        await Task.Delay(options.Reconnect.DelayAfter(_joining.GetOrCreateValue(subscription).Failed++), options.Time);
        if (IsCurrent(subscription))
        {
            Join(subscription);
        }
    }

    private void EndOne(TopicSubscription subscription, RealtimeException error)
    {
        _subscriptions.TryRemove(KeyValuePair.Create(subscription.Topic, subscription));
        subscription.End(error);
    }

    private bool IsCurrent(TopicSubscription subscription) =>
        _subscriptions.TryGetValue(subscription.Topic, out var current) && ReferenceEquals(current, subscription);

    /// <summary>How far a subscription's way to the server's acceptance is.</summary>
    private sealed class Joining
    {
        public TaskCompletionSource Accepted { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public int Failed { get; set; }
    }
}
