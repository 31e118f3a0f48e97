using System.Text.Json;
using System.Text.Json.Serialization;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server;

/// <summary>
/// Sends notifications from code in the server's process, as the server itself: other features and applications tell users of
/// something, and each finds it in his inbox (<c>user:{id}</c>) on every device, now or later. Registered by <c>AddNotifications()</c>.
/// </summary>
/// <example><code>
/// await notifier.SendAsync(new Notification("mention", "Ada mentioned you") { Link = "/rooms/general" }, NotificationAudience.User("bob"), id: messageId);
/// </code></example>
public interface INotifier
{
    /// <summary>Sends one. To named users, up to 20, it is in their inboxes when this completes; to others it is on its way, and nothing stops it any more.</summary>
    /// <param name="notification">What they are told.</param>
    /// <param name="to">Who they are.</param>
    /// <param name="id">1 to 128 visible ASCII characters: a retry with the same id changes nothing and gives the first outcome. Without it a retry is a new notification.</param>
    /// <param name="tenant">Whose users they are.</param>
    /// <param name="cancellationToken">Ends the wait. Whether it was sent is then unknown: send it again with the same id.</param>
    /// <exception cref="RealtimeException">Refused or failed, with a code; where it is retryable, try again with the same id.</exception>
    Task<NotificationReceipt> SendAsync(
        Notification notification, NotificationAudience to, string? id = null, string tenant = "default", CancellationToken cancellationToken = default);
}

/// <summary>What users are told.</summary>
/// <param name="Kind">A kind that is configured: <c>mention</c>, <c>invitation</c>, <c>badge</c>, <c>system</c>, or one of the application's own.</param>
/// <param name="Title">One line, 1 to 200 characters.</param>
public sealed record Notification(string Kind, string Title)
{
    /// <summary>Text, up to 4,000 characters.</summary>
    public string? Body { get; init; }

    /// <summary>Where it leads: a path of the application (<c>/rooms/general</c>) or an http(s) address, up to 1,000 characters.</summary>
    public string? Link { get; init; }

    /// <summary>Whatever the application wants to know of it, JSON of up to 8 KB.</summary>
    public JsonElement? Data { get; init; }

    /// <summary>How much it matters; the kind's own by default.</summary>
    public NotificationPriority? Priority { get; init; }

    /// <summary>When it leaves the inbox by itself, and is not delivered any further. Default, and the latest: <c>Realtime:Notifications:KeepDays</c> from now.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>Of several unread ones with the same key a user has the newest only. 1 to 128 characters.</summary>
    public string? CollapseKey { get; init; }
}

/// <summary>How much a notification matters.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<NotificationPriority>))]
public enum NotificationPriority
{
    /// <summary>Whenever it suits.</summary>
    [JsonStringEnumMemberName("low")]
    Low,

    /// <summary>As usual.</summary>
    [JsonStringEnumMemberName("normal")]
    Normal,

    /// <summary>Soon.</summary>
    [JsonStringEnumMemberName("high")]
    High,

    /// <summary>Also in quiet hours.</summary>
    [JsonStringEnumMemberName("urgent")]
    Urgent,
}

/// <summary>To whom a notification goes. One of its members is set.</summary>
public sealed record NotificationAudience
{
    /// <summary>These users, 1 to 1,000.</summary>
    public IReadOnlyList<string>? Users { get; private init; }

    /// <summary>Who has a role in this topic, and is not banned there.</summary>
    public string? Topic { get; private init; }

    /// <summary>Every user of the tenant whom the server knows: accounts, members of topics, and who has an inbox.</summary>
    public bool Tenant { get; private init; }

    /// <summary>One user.</summary>
    /// <param name="user">The subject of his tokens.</param>
    public static NotificationAudience User(string user) => new() { Users = [user] };

    /// <summary>Several users; whoever is named twice gets it once.</summary>
    /// <param name="users">The subjects of their tokens.</param>
    public static NotificationAudience Several(IReadOnlyList<string> users) => new() { Users = users };

    /// <summary>The members of a topic, as they are while it is sent.</summary>
    /// <param name="topic">The topic's name.</param>
    public static NotificationAudience MembersOf(string topic) => new() { Topic = topic };

    /// <summary>Every user of the tenant whom the server knows.</summary>
    public static NotificationAudience Everybody { get; } = new() { Tenant = true };
}

/// <summary>What has become of a send.</summary>
/// <param name="Id">The notification's, the same for every recipient.</param>
/// <param name="State"><c>sending</c>, or <c>sent</c>: every recipient is dealt with.</param>
/// <param name="Delivered">So many inboxes have it.</param>
/// <param name="Muted">So many recipients have switched its kind off.</param>
/// <param name="Refused">So many could not have it: no inbox can have their name, or the tenant has no room for it.</param>
/// <param name="CreatedAt">When it was sent.</param>
/// <param name="FinishedAt">When the last recipient was dealt with; null: not yet.</param>
/// <param name="Duplicate">It had been sent before, with the same id.</param>
public sealed record NotificationReceipt(
    string Id, string State, long Delivered, long Muted, long Refused, DateTimeOffset CreatedAt, DateTimeOffset? FinishedAt, bool Duplicate = false);
