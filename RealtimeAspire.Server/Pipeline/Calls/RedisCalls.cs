using System.Collections.Concurrent;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Backplane;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.Calls;

/// <summary>
/// Calls between nodes, over Redis pub/sub. The caller's node asks all that handle the method, and hands the call to the first that
/// offers: so one handler has it, once at most, whatever is lost on the way. Each node has a channel of its own for what is said to it,
/// and hears those of the methods that its connections handle.
/// </summary>
internal sealed partial class RedisCalls(
    RedisChannels channels, RedisLink commands, NodeId node, CallHandlers handlers, HandedCalls handed, TimeProvider time, ILogger<RedisCalls> logger)
    : IHostedService
{
    private static readonly TimeSpan AskInterval = TimeSpan.FromMilliseconds(300);

    private readonly ConcurrentDictionary<string, Asked> _asked = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();

    // Under the lock.
    private readonly Dictionary<CallTarget, Task<IAsyncDisposable>> _heard = [];

    private IAsyncDisposable? _inbox;

    public async Task StartAsync(CancellationToken cancellationToken) =>
        _inbox = await channels.SubscribeAsync(InboxOf(node.Value), message => Hear(CallMessage.Read(message), null));

    /// <summary>Where everything stops at once, Redis may be gone already: its word is not waited for.</summary>
    public Task StopAsync(CancellationToken cancellationToken)
    {
        _ = Background.Run(async () => await (_inbox?.DisposeAsync() ?? default));
        return Task.CompletedTask;
    }

    /// <summary>Joins the method's channel while somebody here handles it, and leaves it when nobody does. Completes when that is done.</summary>
    public Task FollowAsync(CallTarget target)
    {
        lock (_lock)
        {
            if (!handlers.Has(target))
            {
                return _heard.Remove(target, out var left) ? LeaveAsync(left) : Task.CompletedTask;
            }

            if (!_heard.TryGetValue(target, out var joined))
            {
                _heard[target] = joined = channels.SubscribeAsync(ChannelOf(target), message => Hear(CallMessage.Read(message), target));
            }

            return joined;
        }
    }

    /// <summary>Has the call handled on another node.</summary>
    /// <param name="target">What is called.</param>
    /// <param name="call">The call.</param>
    /// <param name="cancellationToken">Nobody waits for the answer any more.</param>
    /// <exception cref="OperationCanceledException">There was none in time.</exception>
    public async Task<CallResult> CallAsync(CallTarget target, IncomingCall call, CancellationToken cancellationToken)
    {
        var asked = _asked[call.CallId] = new Asked(target, call);
        try
        {
            // Again, for a node may have heard it when it was about to leave the channel, and says nothing.
            while (!asked.IsTaken && !asked.Result.Task.IsCompleted)
            {
                asked.Expect(await PublishAsync(ChannelOf(target), Say(CallMessageKind.Ask, call.CallId)));
                await Task.WhenAny(asked.Result.Task, Task.Delay(AskInterval, time, cancellationToken));
                cancellationToken.ThrowIfCancellationRequested();
            }

            return await asked.Result.Task.WaitAsync(cancellationToken);
        }
        // Its client throws more than its own exceptions when a connection breaks.
        catch (Exception exception) when (exception is not (OperationCanceledException or RealtimeException))
        {
            LogNotSent(exception);
            // Unless one that heard an earlier question has it already.
            return asked.TryTake()
                ? throw new RealtimeException(ErrorCode.NoHandler, "Nobody at this node handles this method, and the others cannot be asked at the moment.", exception)
                : await asked.Result.Task.WaitAsync(cancellationToken);
        }
        finally
        {
            _asked.TryRemove(call.CallId, out _);
        }
    }

    private static async Task LeaveAsync(Task<IAsyncDisposable> left) => await (await left).DisposeAsync();

    private static string InboxOf(long node) => $"realtime:node:{node}:calls";

    private static string ChannelOf(CallTarget target) => $"realtime:{target.Topic.Tenant}:calls:{target.Topic.Name.Value}:{target.Method}";

    private CallMessage Say(CallMessageKind kind, string callId) => new() { Kind = kind, Node = node.Value, CallId = callId };

    /// <param name="message">From another node, or this one's own.</param>
    /// <param name="target">Whose channel it came on; null for what was said to this node.</param>
    private void Hear(CallMessage? message, CallTarget? target)
    {
        switch (message?.Kind)
        {
            // A node has asked its own connections before.
            case CallMessageKind.Ask when target is { } asked:
                var has = message.Node != node.Value && handlers.Has(asked);
                Send(message.Node, Say(has ? CallMessageKind.Offer : CallMessageKind.Decline, message.CallId));
                break;
            case CallMessageKind.Offer when _asked.TryGetValue(message.CallId, out var offered) && offered.TryTake():
                Send(message.Node, Say(CallMessageKind.Hand, message.CallId) with { Tenant = offered.Target.Topic.Tenant, Call = offered.Call });
                break;
            case CallMessageKind.Decline when _asked.TryGetValue(message.CallId, out var declined):
                declined.Decline(message.Node);
                break;
            case CallMessageKind.Hand when message is { Tenant: { } tenant, Call: { } call }:
                Hand(message.Node, new CallTarget(new TopicKey(tenant, TopicName.Parse(call.Topic)), call.Method), call);
                break;
            case CallMessageKind.Result when _asked.TryGetValue(message.CallId, out var ended):
                ended.Result.TrySetResult(new CallResult(message.Payload ?? default, message.Error));
                break;
        }
    }

    private void Hand(long caller, CallTarget target, IncomingCall call)
    {
        if (!handed.TryHand(target, call, Answer))
        {
            Answer(CallResult.From(ErrorCode.NoHandler));
        }

        void Answer(CallResult result) => Send(
            caller,
            Say(CallMessageKind.Result, call.CallId) with { Payload = result.Error is null ? result.Payload : null, Error = result.Error });
    }

    private void Send(long to, CallMessage message) => _ = Background.Run(async () =>
    {
        try
        {
            await PublishAsync(InboxOf(to), message);
        }
        // The caller gives up by himself.
#pragma warning disable CA1031
        catch (Exception exception)
#pragma warning restore CA1031
        {
            LogNotSent(exception);
        }
    });

    /// <returns>How many have heard it.</returns>
    private Task<long> PublishAsync(string channel, CallMessage message) => commands.PublishAsync(channel, message.Write());

    [LoggerMessage(EventId = 1310, Level = LogLevel.Debug, Message = "A message about a call was not sent to another node")]
    private partial void LogNotSent(Exception exception);

    /// <summary>A call that other nodes have been asked about.</summary>
    private sealed class Asked(CallTarget target, IncomingCall call)
    {
        private readonly Lock _lock = new();

        // Under the lock.
        private readonly HashSet<long> _declined = [];
        private long? _expected;
        private bool _taken;

        public CallTarget Target => target;

        public IncomingCall Call => call;

        public TaskCompletionSource<CallResult> Result { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>A node has it, or none is to have it.</summary>
        public bool IsTaken
        {
            get
            {
                lock (_lock)
                {
                    return _taken;
                }
            }
        }

        /// <summary>False: another node has it.</summary>
        public bool TryTake()
        {
            lock (_lock)
            {
                return !_taken && (_taken = true);
            }
        }

        /// <summary>So many have heard the question.</summary>
        public void Expect(long answers)
        {
            lock (_lock)
            {
                _expected = answers;
                End_NeedsLock();
            }
        }

        public void Decline(long by)
        {
            lock (_lock)
            {
                _declined.Add(by);
                End_NeedsLock();
            }
        }

        private void End_NeedsLock()
        {
            if (!_taken && _declined.Count >= _expected)
            {
                // Whoever offers from now on is too late.
                _taken = true;
                Result.TrySetResult(CallResult.From(ErrorCode.NoHandler));
            }
        }
    }
}
