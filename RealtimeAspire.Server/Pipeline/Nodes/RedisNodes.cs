using System.Collections.Concurrent;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Backplane;

namespace RealtimeAspire.Server.Pipeline.Nodes;

/// <summary>
/// Questions between nodes, over Redis pub/sub: one channel on which all hear them, this node too, and one for each node on which it hears the answers. Redis tells
/// how many have heard a question, so many are waited for.
/// </summary>
internal sealed partial class RedisNodes(RedisChannels channels, RedisLink commands, NodeId node, ThisNode self, TimeProvider time, ILogger<RedisNodes> logger)
    : INodes, IHostedService
{
    private const string QuestionChannel = "realtime:nodes";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<Guid, Asked> _asked = new();

    private IAsyncDisposable? _questions;
    private IAsyncDisposable? _inbox;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        _inbox = await channels.SubscribeAsync(InboxOf(node.Value), Hear);
        _questions = await channels.SubscribeAsync(QuestionChannel, Hear);
    }

    /// <summary>Where everything stops at once, Redis may be gone already: its word is not waited for.</summary>
    public Task StopAsync(CancellationToken cancellationToken)
    {
        _ = Background.Run(async () => await (_questions?.DisposeAsync() ?? default));
        _ = Background.Run(async () => await (_inbox?.DisposeAsync() ?? default));
        return Task.CompletedTask;
    }

    public async Task<(IReadOnlyList<NodeAnswer> Answers, bool IsComplete)> AskAsync(NodeQuestion question, CancellationToken cancellationToken)
    {
        var message = new NodeMessage(node.Value, Guid.CreateVersion7(time.GetUtcNow()), question);
        var asked = _asked[message.Id] = new Asked();
        try
        {
            asked.Expect(await PublishAsync(QuestionChannel, message));
            await asked.All.WaitAsync(Patience, time, cancellationToken);
            return (asked.Answers, true);
        }
        catch (TimeoutException) when (asked.Answers.Count > 0)
        {
            return (asked.Answers, false);
        }
        // Redis' client throws more than its own exceptions when a connection breaks.
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            LogNotSent(exception);
            throw new RealtimeException(ErrorCode.NodesUnreachable, ErrorCode.NodesUnreachable.Sentence, exception);
        }
        finally
        {
            _asked.TryRemove(message.Id, out _);
        }
    }

    private static string InboxOf(long node) => $"realtime:node:{node}:answers";

    private void Hear(byte[] bytes)
    {
        switch (NodeMessage.Read(bytes))
        {
            case { Answer: { } answer } message when _asked.TryGetValue(message.Id, out var asked):
                asked.Add(answer);
                break;
            case { Question: { } question } message:
                _ = Background.Run(() => AnswerAsync(message, question));
                break;
        }
    }

    private async Task AnswerAsync(NodeMessage message, NodeQuestion question)
    {
        try
        {
            await PublishAsync(InboxOf(message.Node), new NodeMessage(node.Value, message.Id, Answer: await self.AnswerAsync(question)));
        }
        // Whoever asks does without it.
#pragma warning disable CA1031
        catch (Exception exception)
#pragma warning restore CA1031
        {
            LogNotSent(exception);
        }
    }

    /// <returns>How many have heard it.</returns>
    private Task<long> PublishAsync(string channel, NodeMessage message) => commands.PublishAsync(channel, message.Write());

    [LoggerMessage(EventId = 1320, Level = LogLevel.Debug, Message = "A question to other nodes, or its answer, was not sent")]
    private partial void LogNotSent(Exception exception);

    /// <summary>A question that is out.</summary>
    private sealed class Asked
    {
        private readonly Lock _lock = new();
        private readonly TaskCompletionSource _all = new(TaskCreationOptions.RunContinuationsAsynchronously);

        // Under the lock.
        private readonly List<NodeAnswer> _answers = [];
        private long _expected = long.MaxValue;

        public Task All => _all.Task;

        public IReadOnlyList<NodeAnswer> Answers
        {
            get
            {
                lock (_lock)
                {
                    return [.. _answers];
                }
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

        public void Add(NodeAnswer answer)
        {
            lock (_lock)
            {
                _answers.Add(answer);
                End_NeedsLock();
            }
        }

        private void End_NeedsLock()
        {
            if (_answers.Count >= _expected)
            {
                _all.TrySetResult();
            }
        }
    }
}
