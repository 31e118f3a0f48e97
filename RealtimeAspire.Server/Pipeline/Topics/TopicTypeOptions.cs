using System.ComponentModel.DataAnnotations;

namespace RealtimeAspire.Server.Pipeline.Topics;

/// <summary>The section <c>Realtime:TopicTypes:{type}</c>.</summary>
internal sealed class TopicTypeOptions
{
    /// <summary>What is promised about its events. Default: durable.</summary>
    [EnumDataType(typeof(Durability))]
    public Durability Durability { get; set; } = Durability.Durable;

    /// <summary>Whether every signed-in user may subscribe and publish. Default: in development only.</summary>
    public bool? Open { get; set; }

    /// <summary>The event names that clients may publish, beside those a feature opens; a last <c>*</c> stands for any end. Default: <c>app:*</c>.</summary>
    [MaxLength(100)]
    public string[]? ClientEvents { get; set; }
}

/// <summary>What is promised about a topic's events.</summary>
internal enum Durability
{
    /// <summary>Stored in Postgres before the publish is acknowledged.</summary>
    Durable,
}
