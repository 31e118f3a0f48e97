using System.Text.Json;
using System.Text.Json.Serialization;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Audit;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Identity;

namespace RealtimeAspire.Server.Pipeline;

/// <summary>The server's side of <see cref="SubscribeReply"/>: the same JSON, with events that are already encoded.</summary>
/// <param name="Topic">The topic's name.</param>
/// <param name="Position">Where the subscriber is after the events.</param>
/// <param name="Recovery">What became of the position that was asked for.</param>
/// <param name="Events">Ascending.</param>
/// <param name="More">Nothing is live yet.</param>
/// <param name="ExpiresAt">When the right to this topic ends.</param>
/// <param name="Number">What stands for the topic's name in live events; only for connections that asked for numbers.</param>
internal sealed record SubscribeAnswer(
    string Topic,
    Position Position,
    Recovery Recovery,
    IReadOnlyList<EncodedEvent> Events,
    bool More = false,
    DateTimeOffset? ExpiresAt = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] long? Number = null);

/// <summary>The server's side of <see cref="SubscribeOutcome"/>.</summary>
internal sealed record SubscribeResult(
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] SubscribeAnswer? Reply,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] ErrorBody? Error);

/// <summary>The server's side of <see cref="HistoryReply"/>.</summary>
internal sealed record HistoryAnswer(IReadOnlyList<EncodedEvent> Events, Position Position, Recovery Recovery, bool Complete);

/// <summary>What the server writes beside the types of the protocol.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, Converters = [typeof(TimestampConverter)])]
[JsonSerializable(typeof(SubscribeAnswer))]
[JsonSerializable(typeof(SubscribeResult[]))]
[JsonSerializable(typeof(HistoryAnswer))]
[JsonSerializable(typeof(EncodedEvent[]))]
[JsonSerializable(typeof(AccessChange))]
[JsonSerializable(typeof(AuditPage))]
[JsonSerializable(typeof(TokenRequest))]
[JsonSerializable(typeof(TokenReply))]
[JsonSerializable(typeof(RefreshTokenRequest))]
[JsonSerializable(typeof(RevokeTokenRequest))]
[JsonSerializable(typeof(AccountRequest))]
internal sealed partial class ServerJson : JsonSerializerContext
{
    public static void Configure(JsonSerializerOptions options)
    {
        RealtimeJson.Configure(options);
        options.TypeInfoResolverChain.Insert(1, Default);
    }
}
