using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.TopicLogs;

/// <summary>Which log a topic's events are in.</summary>
/// <param name="catalog">The policies of the topic types.</param>
/// <param name="durable">Postgres.</param>
/// <param name="recoverable">Redis; with a single node, its memory.</param>
internal sealed class LogCatalog(TopicCatalog catalog, ITopicLog durable, ITopicLog recoverable)
{
    private readonly NoTopicLog _none = new();

    public ITopicLog Of(TopicKey topic) => Of(catalog.Get(topic.Name));

    public ITopicLog Of(TopicPolicy policy) => policy.Durability switch
    {
        Durability.Durable => durable,
        Durability.Recoverable => recoverable,
        _ => _none,
    };
}
