using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.TopicLogs;

/// <summary>Which log a topic's events are in.</summary>
/// <param name="catalog">The policies of the topic types.</param>
/// <param name="durable">Postgres.</param>
/// <param name="recoverable">Redis; with a single node, its memory.</param>
internal sealed class LogCatalog(TopicCatalog catalog, ITopicLog durable, ITopicLog recoverable)
{
    private static readonly NoTopicLog None = new();

    private readonly TipReader _durableTips = new(durable);
    private readonly TipReader _recoverableTips = new(recoverable);
    private readonly TipReader _noTips = new(None);

    public ITopicLog Of(TopicKey topic) => Of(catalog.Get(topic));

    public ITopicLog Of(TopicPolicy policy) => policy.Durability switch
    {
        Durability.Durable => durable,
        Durability.Recoverable => recoverable,
        _ => None,
    };

    public TipReader TipsOf(TopicKey topic) => TipsOf(catalog.Get(topic));

    public TipReader TipsOf(TopicPolicy policy) => policy.Durability switch
    {
        Durability.Durable => _durableTips,
        Durability.Recoverable => _recoverableTips,
        _ => _noTips,
    };
}
