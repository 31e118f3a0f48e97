using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.TopicLogs;

/// <summary>The log of ephemeral topics, which have no events to keep: each is for ever at its origin.</summary>
internal sealed class NoTopicLog : ITopicLog
{
    public bool AnnouncesAppends => false;

    public Task<AppendOutcome> AppendAsync(Append append, Action<LoggedEvent> committed) =>
        throw new InvalidOperationException("Ephemeral events are not appended.");

    public Task<LogPage> ReadAsync(TopicKey topic, LogRange range, int limit, CancellationToken cancellationToken) => Task.FromResult(LogPage.Empty);

    public Task<IReadOnlyDictionary<TopicKey, Position>> ReadTipsAsync(IReadOnlyCollection<TopicKey> topics, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyDictionary<TopicKey, Position>>(topics.ToDictionary(topic => topic, _ => Position.Origin));
}
