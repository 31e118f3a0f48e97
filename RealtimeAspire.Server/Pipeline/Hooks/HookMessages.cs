using System.Text.Json;
using System.Text.Json.Serialization;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Pipeline.Hooks;

/// <summary>What a backend is asked.</summary>
/// <param name="Type"><c>realtime.connect</c>, <c>realtime.subscribe</c> or <c>realtime.publish</c>.</param>
/// <param name="Timestamp">When.</param>
/// <param name="Data">What.</param>
internal sealed record HookQuestion<TData>(string Type, DateTimeOffset Timestamp, TData Data);

/// <summary>Somebody comes in.</summary>
internal sealed record ConnectQuestion(string Tenant, string User, string Transport, string? Address, string? UserAgent, DateTimeOffset? Expires);

/// <summary>Somebody wants to read a topic.</summary>
/// <param name="Tenant">His tenant.</param>
/// <param name="User">Who.</param>
/// <param name="Topic">Which.</param>
/// <param name="Operation"><c>subscribe</c> or <c>history</c>.</param>
/// <param name="Request">What he asked for, as over the hub; null with <c>history</c>.</param>
internal sealed record SubscribeQuestion(string Tenant, string User, string Topic, string Operation, SubscribeRequest? Request);

/// <summary>Somebody wants to publish an event.</summary>
internal sealed record PublishQuestion(string Tenant, string User, string Topic, PublishRequest Request);

/// <summary>What a backend answers.</summary>
/// <param name="Result"><c>allow</c>, <c>deny</c> or <c>rewrite</c>.</param>
/// <param name="Reason">With <c>deny</c>, a sentence for the user.</param>
/// <param name="Code">With <c>deny</c>, a code of the application's own, <c>app_…</c>.</param>
/// <param name="Request">With <c>rewrite</c>, what takes the place of what was asked for.</param>
internal sealed record HookAnswer<TRewrite>(string? Result, string? Reason, string? Code, TRewrite? Request)
    where TRewrite : class;

/// <summary>What somebody who comes in has instead of what his token says.</summary>
internal sealed record ConnectRewrite(IReadOnlyList<TopicGrant>? Grants);

/// <summary>What of a subscribe is another; what is missing stays.</summary>
internal sealed record SubscribeRewrite(Rewind? Rewind, QosRequest? Qos, bool? Ephemeral);

/// <summary>What of an event is another; what is missing stays.</summary>
internal sealed record PublishRewrite
{
    public string? Event { get; init; }

    public JsonElement Payload { get; init; }

    public string? EntityId { get; init; }

    [JsonPropertyName("v")]
    public int? Version { get; init; }
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(HookQuestion<ConnectQuestion>))]
[JsonSerializable(typeof(HookQuestion<SubscribeQuestion>))]
[JsonSerializable(typeof(HookQuestion<PublishQuestion>))]
[JsonSerializable(typeof(HookAnswer<ConnectRewrite>))]
[JsonSerializable(typeof(HookAnswer<SubscribeRewrite>))]
[JsonSerializable(typeof(HookAnswer<PublishRewrite>))]
internal sealed partial class HookJson : JsonSerializerContext;
