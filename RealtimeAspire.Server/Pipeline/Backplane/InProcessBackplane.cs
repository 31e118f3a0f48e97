using System.Collections.Concurrent;
using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.Backplane;

/// <summary>Carries events between the nodes of one process; for a single node, nowhere.</summary>
internal sealed class InProcessBackplane : IBackplane
{
    private readonly ConcurrentDictionary<InProcessBackplane, bool> _nodes;
    private readonly ConcurrentDictionary<TopicKey, Lease> _leases = new();

    /// <param name="neighbour">The backplane of another node, if there is one: they then share their events.</param>
    public InProcessBackplane(InProcessBackplane? neighbour = null)
    {
        _nodes = neighbour?._nodes ?? new();
        _nodes.TryAdd(this, true);
    }

    /// <summary>Never raised: nothing is ever missed.</summary>
    public event Action? Restored
    {
        add { }
        remove { }
    }

    public bool IsConnected => true;

    public void Publish(EncodedEvent published)
    {
        foreach (var (node, _) in _nodes)
        {
            // A node's own feed has had it directly.
            if (node != this && node._leases.TryGetValue(published.Topic, out var lease))
            {
                lease.Received(published.Copy());
            }
        }
    }

    public Task<IAsyncDisposable> SubscribeAsync(TopicKey topic, Action<EncodedEvent> received)
    {
        var lease = new Lease(this, topic, received);
        _leases[topic] = lease;
        return Task.FromResult<IAsyncDisposable>(lease);
    }

    private sealed class Lease(InProcessBackplane backplane, TopicKey topic, Action<EncodedEvent> received) : IAsyncDisposable
    {
        public Action<EncodedEvent> Received => received;

        public ValueTask DisposeAsync()
        {
            // Not that of whoever has joined since.
            backplane._leases.TryRemove(KeyValuePair.Create(topic, this));
            return ValueTask.CompletedTask;
        }
    }
}
