using System.Buffers.Binary;
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

/// <summary>
/// For subscriptions: a message to oneself, the only proof that those of others arrive. All nodes ask on one channel, and so know
/// of each other.
/// </summary>
/// <param name="node">Who asks.</param>
/// <param name="others">Hears who else asks.</param>
/// <param name="attach">Subscribes whatever is not subscribed on a connection yet. Called before each question; does not wait.</param>
internal sealed class RedisEcho(NodeId node, OtherNodes others, Action<IConnectionMultiplexer> attach) : IRedisProbe
{
    private static readonly RedisChannel Channel = new("realtime:nodes", RedisChannel.PatternMode.Literal);

    // One question at a time.
    private Echo? _echo;
    private bool _isHeard;

    public string Purpose => "subscriptions";

    public async Task AskAsync(IConnectionMultiplexer multiplexer)
    {
        if (!_isHeard)
        {
            others.Missed();
        }

        _isHeard = false;
        if (!multiplexer.IsConnected)
        {
            // Its client would take a subscription, and make it some time.
            throw new InvalidOperationException("Not connected.");
        }

        // Before its own channel: once that one is heard, all are attached.
        attach(multiplexer);
        if (_echo is not { Usable: true } echo || echo.Multiplexer != multiplexer)
        {
            _echo = echo = new Echo(multiplexer, node, others);
        }

        await echo.AskAsync();
        _isHeard = true;
    }

    private sealed class Echo
    {
        private readonly NodeId _node;
        private readonly OtherNodes _others;
        private readonly byte[] _question = new byte[sizeof(long)];
        private readonly ISubscriber _subscriber;
        private readonly Task _subscribed;
        private volatile TaskCompletionSource? _heard;

        public Echo(IConnectionMultiplexer multiplexer, NodeId node, OtherNodes others)
        {
            (Multiplexer, _node, _others) = (multiplexer, node, others);
            BinaryPrimitives.WriteInt64LittleEndian(_question, node.Value);
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
            await _subscriber.PublishAsync(Channel, _question, CommandFlags.FireAndForget);
            await heard.Task;
        }

        private async Task SubscribeAsync()
        {
            var messages = await _subscriber.SubscribeAsync(Channel);
            messages.OnMessage(message => Hear(message.Message));
        }

        private void Hear(byte[]? question)
        {
            if (question is not { Length: sizeof(long) } || BinaryPrimitives.ReadInt64LittleEndian(question) != _node.Value)
            {
                _others.Heard();
            }
            else
            {
                _heard?.TrySetResult();
            }
        }
    }
}
