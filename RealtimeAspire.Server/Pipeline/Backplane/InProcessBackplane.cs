using System.Collections.Concurrent;
using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.Backplane;

/// <summary>Carries events between the nodes of one process; for a single node, nowhere but to itself.</summary>
internal sealed class InProcessBackplane : IBackplane
{
    private readonly ConcurrentDictionary<(TopicKey Topic, Guid Id), Action<EncodedEvent>> _subscribers = new();

    public bool IsConnected => true;

    public void Publish(EncodedEvent published)
    {
        foreach (var (subscriber, received) in _subscribers)
        {
            if (subscriber.Topic == published.Topic)
            {
                received(published);
            }
        }
    }

    public Task<IAsyncDisposable> SubscribeAsync(TopicKey topic, Action<EncodedEvent> received)
    {
        var key = (topic, Guid.NewGuid());
        _subscribers[key] = received;
        return Task.FromResult<IAsyncDisposable>(new Lease(() => _subscribers.TryRemove(key, out _)));
    }

    private sealed class Lease(Action release) : IAsyncDisposable
    {
        public ValueTask DisposeAsync()
        {
            release();
            return ValueTask.CompletedTask;
        }
    }
}
