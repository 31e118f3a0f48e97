using System.Globalization;
using System.Security;
using System.Text.Json;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Features.Notifications;

/// <summary>What a user wants of a kind. What he does not say is as the kind has it.</summary>
/// <param name="Inbox">Whether it comes at all; without, nothing else tells of it either. Default: yes.</param>
/// <param name="Push">Whether Web Push tells of it.</param>
/// <param name="Email">Whether an e-mail does.</param>
internal sealed record KindPreference(bool? Inbox = null, bool? Push = null, bool? Email = null);

/// <summary>When nothing but what is urgent is pushed or mailed. What waits is told when they end.</summary>
/// <param name="From">HH:mm, by the clock of the time zone.</param>
/// <param name="To">HH:mm; the next day's where it is not later.</param>
/// <param name="TimeZone">An IANA name, as Europe/Berlin.</param>
internal sealed record QuietHours(string? From, string? To, string? TimeZone)
{
    private const string Format = "HH':'mm";

    /// <summary>When the quiet hours end in which a moment is; null: it is in none. Pure.</summary>
    public DateTimeOffset? EndFrom(DateTimeOffset moment)
    {
        var (from, to) = Times();
        var zone = ZoneOrUtc();
        var local = TimeZoneInfo.ConvertTime(moment, zone).DateTime;
        var time = TimeOnly.FromDateTime(local);
        var isQuiet = from < to ? time >= from && time < to : from > to && (time >= from || time < to);
        if (!isQuiet)
        {
            return null;
        }

        var end = local.Date.AddDays(time < to ? 0 : 1) + to.ToTimeSpan();
        // In spring an hour is missing: what would be in it is after it.
        while (zone.IsInvalidTime(end))
        {
            end = end.AddMinutes(1);
        }

        // In autumn an hour is there twice: both are quiet.
        var offset = zone.IsAmbiguousTime(end) ? zone.GetAmbiguousTimeOffsets(end).Min() : zone.GetUtcOffset(end);
        return new DateTimeOffset(end, offset).ToUniversalTime();
    }

    /// <exception cref="RealtimeException"><c>request_invalid</c>.</exception>
    public QuietHours Require()
    {
        try
        {
            var (from, to) = Times();
            _ = Zone();
            return from == to ? throw new RealtimeException(ErrorCode.RequestInvalid, "Quiet hours begin and end at different times.") : this;
        }
        catch (Exception exception) when (exception is FormatException or ArgumentException || IsOfZone(exception))
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, "Quiet hours are from and to, as 22:00, and a timeZone that the server knows, as Europe/Berlin.", exception);
        }
    }

    private (TimeOnly From, TimeOnly To) Times() => (
        TimeOnly.ParseExact(From ?? "", Format, CultureInfo.InvariantCulture), TimeOnly.ParseExact(To ?? "", Format, CultureInfo.InvariantCulture));

    private TimeZoneInfo Zone() => TimeZoneInfo.FindSystemTimeZoneById(TimeZone ?? throw new FormatException());

    /// <summary>The last: a name of several zones, as Europe, which is a folder.</summary>
    private static bool IsOfZone(Exception exception) => exception is TimeZoneNotFoundException or InvalidTimeZoneException or SecurityException;

    /// <summary>The zones that this node has may be older than those where it was chosen.</summary>
    private TimeZoneInfo ZoneOrUtc()
    {
        try
        {
            return Zone();
        }
        catch (Exception exception) when (IsOfZone(exception))
        {
            return TimeZoneInfo.Utc;
        }
    }
}

/// <summary>What a user wants to be told of, and how. Immutable.</summary>
/// <param name="Kinds">By kind.</param>
/// <param name="QuietHours">Null: none.</param>
internal sealed record Preferences(IReadOnlyDictionary<string, KindPreference>? Kinds = null, QuietHours? QuietHours = null)
{
    public static readonly Preferences None = new();

    private const int MaxZoneLength = 64;

    /// <param name="json">As it is stored; null: nothing was chosen.</param>
    public static Preferences Read(string? json) =>
        json is null ? None : JsonSerializer.Deserialize(json, NotificationJson.Default.Preferences) ?? None;

    public string ToJson() => JsonSerializer.Serialize(this, NotificationJson.Default.Preferences);

    public bool Takes(KindRule kind) => Of(kind).Inbox ?? true;

    public bool Takes(KindRule kind, Channel channel) => Takes(kind) && (channel is Channel.Push ? Of(kind).Push ?? kind.Push : Of(kind).Email ?? kind.Email);

    /// <summary>What came from a user is something that can be meant.</summary>
    /// <exception cref="RealtimeException"><c>kind_unknown</c>, <c>request_invalid</c>.</exception>
    public Preferences Require(NotificationKinds kinds)
    {
        foreach (var (kind, wanted) in Kinds ?? new Dictionary<string, KindPreference>())
        {
            if (!kinds.TryFind(kind, out _))
            {
                throw new RealtimeException(ErrorCode.KindUnknown);
            }

            if (wanted is null)
            {
                throw new RealtimeException(ErrorCode.RequestInvalid, "What is wanted of a kind is an object with inbox, push and email.");
            }
        }

        if (QuietHours is { TimeZone.Length: > MaxZoneLength })
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, "There is no such time zone.");
        }

        return this with { QuietHours = QuietHours?.Require() };
    }

    private KindPreference Of(KindRule kind) => Kinds is { } kinds && kinds.TryGetValue(kind.Name, out var wanted) ? wanted : Nothing;

    private static readonly KindPreference Nothing = new();
}
