using System.Text.Json;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server;

/// <summary>
/// Publishes from code in the server's process, as the server itself: topic types may be closed to clients and open to it.
/// Limits of rate do not apply; everything else is as over HTTP.
/// </summary>
/// <example><code>await publisher.PublishAsync("ticker:eur-usd", "app:tick", new { price = 1.0842 });</code></example>
public interface ITopicPublisher
{
    /// <summary>Publishes one event; completes when it is stored as its topic's type promises.</summary>
    /// <param name="topic">The topic's name, <c>type:identifier</c>.</param>
    /// <param name="request">
    /// The event. Its topic is not looked at. Without an id a retry is a new event. A signature of it is by a key that is registered for the
    /// server itself.
    /// </param>
    /// <param name="tenant">Whose topic it is.</param>
    /// <exception cref="RealtimeException">Refused or failed, with a code; where it is retryable, try again with the same id.</exception>
    Task<PublishReply> PublishAsync(string topic, PublishRequest request, string tenant = "default");
}

/// <summary>Shorter ways to publish.</summary>
public static class TopicPublisherExtensions
{
    /// <summary>Publishes an object as JSON with the names and settings of the web.</summary>
    /// <typeparam name="T">The payload's type.</typeparam>
    /// <param name="publisher">The publisher.</param>
    /// <param name="topic">The topic's name, <c>type:identifier</c>.</param>
    /// <param name="eventName">What happened, for example <c>app:tick</c>.</param>
    /// <param name="payload">Becomes the payload.</param>
    /// <param name="id">The event's id, 1 to 128 visible ASCII characters; without it a retry is a new event.</param>
    /// <param name="entityId">The thing the event is about, where there is one.</param>
    /// <exception cref="RealtimeException">Refused or failed, with a code.</exception>
    public static Task<PublishReply> PublishAsync<T>(
        this ITopicPublisher publisher, string topic, string eventName, T payload, string? id = null, string? entityId = null)
    {
        ArgumentNullException.ThrowIfNull(publisher);
        var request = new PublishRequest
        {
            Event = eventName,
            Payload = JsonSerializer.SerializeToElement(payload, JsonSerializerOptions.Web),
            Id = id,
            EntityId = entityId,
        };
        return publisher.PublishAsync(topic, request);
    }
}
