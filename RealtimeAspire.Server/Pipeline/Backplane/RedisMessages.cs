using StackExchange.Redis;

namespace RealtimeAspire.Server.Pipeline.Backplane;

/// <summary>
/// Subscribing in order. From version 2 on the client has this method itself, which then wins over the extension: there plain
/// handlers run concurrently, and only this form keeps the order. Before, handlers are called one at a time, and only they exist.
/// </summary>
internal static class RedisMessagesExtensions
{
    public static async Task<RedisMessages> SubscribeAsync(this ISubscriber subscriber, RedisChannel channel)
    {
        var messages = new RedisMessages();
        await subscriber.SubscribeAsync(channel, (_, message) => messages.Receive(new RedisMessage(message)));
        return messages;
    }
}

/// <summary>A channel's messages, in order; those that come before there is a handler wait for it.</summary>
internal sealed class RedisMessages
{
    private readonly Lock _lock = new();
    private readonly Queue<RedisMessage> _early = new();
    private volatile Action<RedisMessage>? _handler;

    public void OnMessage(Action<RedisMessage> handler)
    {
        lock (_lock)
        {
            while (_early.TryDequeue(out var early))
            {
                handler(early);
            }

            _handler = handler;
        }
    }

    public void Receive(RedisMessage message)
    {
        if (_handler is { } handler)
        {
            handler(message);
            return;
        }

        lock (_lock)
        {
            if (_handler is null)
            {
                _early.Enqueue(message);
                return;
            }
        }

        _handler(message);
    }
}

/// <summary>A message of a channel.</summary>
internal readonly record struct RedisMessage(RedisValue Message);
