using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;

namespace RealtimeAspire.Server.Features.Notifications;

/// <summary>A notification that can be sent: everything in it has been looked at.</summary>
internal sealed record NotificationDraft(
    KindRule Kind, string Title, string? Body, string? Link, string? Data, NotificationPriority Priority, string? CollapseKey, DateTimeOffset? ExpiresAt, NotificationAudience To)
{
    /// <summary>The users, each once and in order; null where the audience is none of users.</summary>
    public string[]? Users { get; } = To.Users is { } users ? [.. users.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)] : null;

    /// <summary>What makes two sends of one id the same.</summary>
    public byte[] Hash()
    {
        string?[] parts =
        [
            Kind.Name, Title, Body, Link, Data, Names.Of(Priority), CollapseKey, ExpiresAt?.ToUnixTimeMilliseconds().ToString(System.Globalization.CultureInfo.InvariantCulture),
            To.Topic, To.Tenant ? "tenant" : null, .. Users ?? [],
        ];
        return SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(parts, NotificationJson.Default.StringArray));
    }
}

/// <summary>Whether what somebody sends has the form that it should have. Pure.</summary>
internal static class NotificationForm
{
    private const int MaxTitle = 200;
    private const int MaxBody = 4_000;
    private const int MaxLink = 1_000;
    private const int MaxData = 8 * 1024;
    private const int MaxMembers = 200;
    private const int MaxKey = 128;
    private const int MaxUsers = 1_000;
    private const int MaxUserLength = 255;

    /// <param name="notification">Untrusted; every member is validated here.</param>
    /// <param name="to">Untrusted, as well.</param>
    /// <param name="kinds">Those that there are.</param>
    /// <param name="now">The moment.</param>
    /// <exception cref="RealtimeException">What is wrong, with a code.</exception>
    public static NotificationDraft Require(Notification notification, NotificationAudience to, NotificationKinds kinds, DateTimeOffset now)
    {
        if (!kinds.TryFind(notification.Kind, out var kind))
        {
            throw new RealtimeException(ErrorCode.KindUnknown);
        }

        RequireText(notification.Title, "title", MaxTitle, lines: false);
        RequireText(notification.Body ?? "-", "body", MaxBody, lines: true);
        RequireText(notification.CollapseKey ?? "-", "collapseKey", MaxKey, lines: false);
        if (notification.ExpiresAt <= now)
        {
            throw Invalid("expiresAt has passed.");
        }

        if (notification.Priority is { } priority && !Enum.IsDefined(priority))
        {
            throw Invalid("A priority is low, normal, high or urgent.");
        }

        RequireAudience(to);
        return new NotificationDraft(
            kind, notification.Title, notification.Body, RequireLink(notification.Link), RequireData(notification.Data), notification.Priority ?? kind.Priority,
            notification.CollapseKey, notification.ExpiresAt, to);
    }

    private static void RequireAudience(NotificationAudience to)
    {
        if ((to.Users is null ? 0 : 1) + (to.Topic is null ? 0 : 1) + (to.Tenant ? 1 : 0) != 1)
        {
            throw Invalid("It goes to a user, to users, to the members of a topic or to a tenant: to one of them.");
        }

        if (to.Topic is { } topic)
        {
            TopicName.Parse(topic);
        }

        if (to.Users is not { } users)
        {
            return;
        }

        if (users.Count is 0 or > MaxUsers)
        {
            throw users.Count == 0 ? new RealtimeException(ErrorCode.BatchEmpty) : new RealtimeException(ErrorCode.BatchTooLarge, $"One send names at most {MaxUsers} users.");
        }

        if (users.Any(user => user is not { Length: > 0 and <= MaxUserLength } || HasControls(user, lines: false)))
        {
            throw new RealtimeException(ErrorCode.UserInvalid, $"A user is 1 to {MaxUserLength} characters.");
        }
    }

    private static void RequireText(string? text, string name, int most, bool lines)
    {
        if (text is not { Length: > 0 } || text.Length > most || string.IsNullOrWhiteSpace(text) || HasControls(text, lines))
        {
            throw Invalid($"{name} is 1 to {most} characters{(lines ? "" : ", in one line")}.");
        }
    }

    /// <summary>It becomes a link in pages and mails: nothing that runs, and nothing that leads elsewhere than it seems to.</summary>
    private static string? RequireLink(string? link)
    {
        if (link is null)
        {
            return null;
        }

        var isPath = link.StartsWith('/') && !link.StartsWith("//", StringComparison.Ordinal) && !link.Contains('\\', StringComparison.Ordinal);
        var isAddress = Uri.TryCreate(link, UriKind.Absolute, out var address) && address.Scheme is "https" or "http" && link.StartsWith("http", StringComparison.OrdinalIgnoreCase);
        return link.Length <= MaxLink && (isPath || isAddress) && !HasControls(link, lines: false) && !link.Contains(' ', StringComparison.Ordinal)
            ? link
            : throw Invalid($"link is a path of the application, as /rooms/general, or an http(s) address, of up to {MaxLink} characters.");
    }

    private static string? RequireData(JsonElement? data)
    {
        if (data is not { } json || json.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null)
        {
            return null;
        }

        var bytes = JsonMarshal.GetRawUtf8Value(json);
        if (bytes.Length > MaxData)
        {
            throw PayloadForm.TooLarge(bytes.Length, MaxData);
        }

        PayloadForm.Require(bytes, MaxMembers);
        return json.GetRawText();
    }

    /// <summary>PostgreSQL has no U+0000, and half a surrogate pair is no text.</summary>
    private static bool HasControls(string text, bool lines) =>
        text.Any(character => char.IsControl(character) && !(lines && character is '\n' or '\r' or '\t'))
        || text.EnumerateRunes().Any(rune => rune == System.Text.Rune.ReplacementChar);

    private static RealtimeException Invalid(string sentence) => new(ErrorCode.RequestInvalid, sentence);
}
