using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace RealtimeAspire.Protocol;

/// <summary>How somebody is.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<PresenceStatus>))]
public enum PresenceStatus
{
    /// <summary>There, and active on one of his devices.</summary>
    [JsonStringEnumMemberName("online")]
    Online,

    /// <summary>There, and active on none of them; or so he has chosen.</summary>
    [JsonStringEnumMemberName("away")]
    Away,

    /// <summary>Not to be disturbed: so he has chosen.</summary>
    [JsonStringEnumMemberName("dnd")]
    DoNotDisturb,

    /// <summary>On no topic. Nobody chooses it.</summary>
    [JsonStringEnumMemberName("offline")]
    Offline,
}

/// <summary>A user who is on a topic, with all his connections to it.</summary>
/// <param name="User">Who it is.</param>
/// <param name="Status">What he has chosen, <c>dnd</c> or <c>away</c>; else <c>online</c> where one of his connections is active, <c>away</c> where none is.</param>
/// <param name="Connections">His tabs and devices, one or more.</param>
/// <param name="Text">What he says of it; null: nothing.</param>
public sealed record PresentUser(
    string User,
    PresenceStatus Status,
    IReadOnlyList<PresentConnection> Connections,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Text = null);

/// <summary>One connection of a <see cref="PresentUser"/>.</summary>
/// <param name="Transport"><c>hub</c> or <c>sse</c>.</param>
/// <param name="Active">Whether its client says that somebody uses it.</param>
/// <param name="Data">What its client says of it on the topic; null: nothing.</param>
public sealed record PresentConnection(
    string Transport,
    bool Active,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] JsonElement? Data = null);

/// <summary>How many are on a topic.</summary>
/// <param name="Connections">Connections.</param>
/// <param name="Users">Users who have them.</param>
[Description("How many are on the topic.")]
public sealed record Occupancy(int Connections, int Users);

/// <summary>The payload of <c>presence:members</c>: who is on the topic. Joins, updates and leaves that follow change this.</summary>
/// <param name="Members">By user; none where there are too many.</param>
/// <param name="Occupancy">How many there are.</param>
/// <param name="Complete">False: there are too many to be told one by one. Only counts follow, and the list is read by pages.</param>
[Description("Who is on the topic; what follows changes this.")]
public sealed record PresentMembers(IReadOnlyList<PresentUser> Members, Occupancy Occupancy, bool Complete);

/// <summary>The payload of <c>presence:join</c> and <c>presence:update</c>.</summary>
/// <param name="Members">As they are now.</param>
[Description("Members of the topic as they are now.")]
public sealed record ChangedMembers(IReadOnlyList<PresentUser> Members);

/// <summary>The payload of <c>presence:leave</c>.</summary>
/// <param name="Users">Who is no longer there.</param>
[Description("Users who are no longer on the topic.")]
public sealed record LeftMembers(IReadOnlyList<string> Users);

/// <summary>The payload of <c>typing</c>. It holds for six seconds, or until its user leaves.</summary>
/// <param name="Active">Whether its user types.</param>
[Description("Its user types; for six seconds, unless it comes again.")]
public sealed record Typing(bool Active);

/// <summary>The payload of <c>cursor</c>.</summary>
/// <param name="X">Where, in units of the application's.</param>
/// <param name="Y">Where, in units of the application's.</param>
/// <param name="Selection">What is selected; any JSON.</param>
/// <param name="Colour">In which the user is drawn.</param>
[Description("Where its user points, and what he has selected.")]
public sealed record Cursor(
    double X,
    double Y,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] JsonElement? Selection = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), StringLength(32)] string? Colour = null);

/// <summary>Says how the user is, and what there is to say of this connection. What is missing stays as it is.</summary>
/// <remarks>Untrusted input; the server validates every member.</remarks>
public sealed record PresenceRequest
{
    /// <summary>What the user chooses, on all topics and devices: <c>online</c> (which is nothing special), <c>away</c> or <c>dnd</c>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Status { get; init; }

    /// <summary>What he says of it, at most 140 characters; an empty text takes it back.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Text { get; init; }

    /// <summary>Whether somebody uses this connection. Over the hub only.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public bool? Active { get; init; }

    /// <summary>What there is to say of this connection: an object; an empty one takes it back. Over the hub only.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public JsonElement? Data { get; init; }

    /// <summary>On which topic <see cref="Data"/> is said, one that the connection is subscribed to. Default: on all of them.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Topic { get; init; }
}

/// <summary>Asks for a page of who is on a topic, by user.</summary>
/// <remarks>Untrusted input; the server validates every member.</remarks>
public sealed record PresencePageRequest
{
    /// <summary>The topic's name.</summary>
    public string? Topic { get; init; }

    /// <summary>Those behind this user. Default: from the first.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? After { get; init; }

    /// <summary>The most members of the page, 1 or more, cut to 1,000. Default: 100.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? Limit { get; init; }
}

/// <summary>A page of who is on a topic.</summary>
/// <param name="Members">By user.</param>
/// <param name="Occupancy">How many there are in all.</param>
/// <param name="Complete">There are none behind them.</param>
public sealed record PresencePage(IReadOnlyList<PresentUser> Members, Occupancy Occupancy, bool Complete);

/// <summary>How a user is, whichever topics he is on.</summary>
/// <param name="User">Who.</param>
/// <param name="Status">What he has chosen, <c>online</c> where that is nothing; <c>offline</c> where he is on no topic.</param>
/// <param name="Text">What he says of it; null: nothing.</param>
/// <param name="LastSeen">When he was last on a topic; null: he is on one now, or never was.</param>
public sealed record UserPresence(
    string User,
    PresenceStatus Status,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Text = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] DateTimeOffset? LastSeen = null);
