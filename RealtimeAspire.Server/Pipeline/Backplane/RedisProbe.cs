using StackExchange.Redis;

namespace RealtimeAspire.Server.Pipeline.Backplane;

/// <summary>How a link finds out whether Redis answers.</summary>
internal interface IRedisProbe
{
    /// <summary>What the link is for, in logs.</summary>
    string Purpose { get; }

    /// <summary>Completes when Redis has answered on this connection; fails, or never completes, when it does not.</summary>
    Task AskAsync(IConnectionMultiplexer multiplexer);
}

/// <summary>For commands. Asked of a master only: a replica would answer, but take no write.</summary>
internal sealed class RedisPing : IRedisProbe
{
    public string Purpose => "commands";

    public Task AskAsync(IConnectionMultiplexer multiplexer) => multiplexer.GetDatabase().PingAsync(CommandFlags.DemandMaster);
}

/// <summary>For subscriptions: a message to oneself, the only proof that those of others arrive.</summary>
/// <param name="attach">Subscribes whatever is not subscribed on a connection yet. Called before each question; does not wait.</param>
internal sealed class RedisEcho(Action<IConnectionMultiplexer> attach) : IRedisProbe
{
    // One question at a time.
    private Echo? _echo;

    public string Purpose => "subscriptions";

    public async Task AskAsync(IConnectionMultiplexer multiplexer)
    {
        if (!multiplexer.IsConnected)
        {
            // Its client would take a subscription, and make it some time.
            throw new InvalidOperationException("Not connected.");
        }

        // Before its own channel: once that one is heard, all are attached.
        attach(multiplexer);
        if (_echo is not { Usable: true } echo || echo.Multiplexer != multiplexer)
        {
            _echo = echo = new Echo(multiplexer);
        }

        await echo.AskAsync();
    }

    private sealed class Echo
    {
        private static readonly byte[] Message = [1];

        private readonly RedisChannel _channel = new($"realtime:probe:{Guid.NewGuid():N}", RedisChannel.PatternMode.Literal);
        private readonly ISubscriber _subscriber;
        private readonly Task _subscribed;
        private volatile TaskCompletionSource? _heard;

        public Echo(IConnectionMultiplexer multiplexer)
        {
            Multiplexer = multiplexer;
            _subscriber = multiplexer.GetSubscriber();
            _subscribed = SubscribeAsync();
        }

        public IConnectionMultiplexer Multiplexer { get; }

        public bool Usable => !_subscribed.IsFaulted;

        public async Task AskAsync()
        {
            await _subscribed;
            var heard = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _heard = heard;
            await _subscriber.PublishAsync(_channel, Message, CommandFlags.FireAndForget);
            await heard.Task;
        }

        private async Task SubscribeAsync()
        {
            var messages = await _subscriber.SubscribeAsync(_channel);
            messages.OnMessage(_ => _heard?.TrySetResult());
        }
    }
}
