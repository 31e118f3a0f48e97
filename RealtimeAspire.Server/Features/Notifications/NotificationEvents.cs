using System.ComponentModel;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace RealtimeAspire.Server.Features.Notifications;

/// <summary>The payload of <c>notification:new</c>. The database makes it, in the transaction that stores the notification.</summary>
[Description("A notification has come into the user's inbox.")]
internal sealed record NewNotification(
    string Id,
    string Kind,
    string Title,
    string? Body,
    string? Link,
    [property: Description("Whatever the sender has said.")] JsonElement? Data,
    [property: Description("low, normal, high or urgent.")] string Priority,
    [property: Description("Who sent it, a user or key:{id}; null: the server.")] string? From,
    string? CollapseKey,
    string CreatedAt,
    string ExpiresAt,
    [property: Description("The ids of those that it stands in for; they are gone.")] IReadOnlyList<string> Replaces,
    [property: Description("How many are unread, this one among them.")] long Unread);

/// <summary>The payload of <c>notification:read</c>.</summary>
[Description("Notifications were read, on one of the user's devices: those with these ids, or all up to an offset of this topic.")]
internal sealed record NotificationsRead(
    IReadOnlyList<string>? Ids,
    [property: Description("The offset of the last one's notification:new.")] long? UpTo,
    [property: Description("How many are unread.")] long Unread);

/// <summary>The payload of <c>notification:removed</c>.</summary>
[Description("Notifications have left the user's inbox.")]
internal sealed record NotificationsRemoved(
    IReadOnlyList<string> Ids,
    [property: Description("removed, by the user, or expired.")] string Why,
    [property: Description("How many are unread.")] long Unread);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(NewNotification))]
[JsonSerializable(typeof(NotificationsRead))]
[JsonSerializable(typeof(NotificationsRemoved))]
internal sealed partial class NotificationEventJson : JsonSerializerContext;
