using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.TopicLogs;

/// <summary>
/// Reads a log's tips for all who ask, many topics in one read: while one is under way, whoever asks waits for the next, which
/// begins when that is done. So each has a tip as of his question or later, and a crowd that comes at once costs a few reads.
/// </summary>
internal sealed class TipReader(ITopicLog log)
{
    private const int MaxTopics = 1_000;

    private readonly Lock _lock = new();
    private readonly Queue<Batch> _waiting = new();
    private Batch? _open;
    private bool _isReading;

    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public Task<Position> ReadAsync(TopicKey topic, CancellationToken cancellationToken)
    {
        if (log is NoTopicLog)
        {
            return Task.FromResult(Position.Origin);
        }

        Batch batch;
        lock (_lock)
        {
            if (_open is null)
            {
                _waiting.Enqueue(_open = new Batch());
            }

            batch = _open;
            batch.Topics.Add(topic);
            if (batch.Topics.Count == MaxTopics)
            {
                _open = null;
            }

            if (!_isReading)
            {
                _isReading = true;
                _ = Background.Run(ReadAllAsync);
            }
        }

        return batch.TipOfAsync(topic).WaitAsync(cancellationToken);
    }

    private async Task ReadAllAsync()
    {
        while (TakeNext() is { } batch)
        {
            await batch.ReadAsync(log);
        }
    }

    private Batch? TakeNext()
    {
        lock (_lock)
        {
            _isReading = _waiting.TryDequeue(out var batch);
            _open = batch == _open ? null : _open;
            return batch;
        }
    }

    /// <summary>What is read at once.</summary>
    private sealed class Batch
    {
        private readonly TaskCompletionSource<IReadOnlyDictionary<TopicKey, Position>> _tips = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>Under the reader's lock, until it is being read.</summary>
        public HashSet<TopicKey> Topics { get; } = [];

        public async Task<Position> TipOfAsync(TopicKey topic) => (await _tips.Task)[topic];

        /// <summary>Whatever happens is told to those who wait: the reader goes on.</summary>
        public async Task ReadAsync(ITopicLog log)
        {
#pragma warning disable CA1031
            try
            {
                _tips.SetResult(await log.ReadTipsAsync(Topics, CancellationToken.None));
            }
            catch (Exception exception)
            {
                _tips.SetException(exception);
            }
#pragma warning restore CA1031
        }
    }
}
