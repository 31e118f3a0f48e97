using System.ComponentModel;
using System.Text.Json.Serialization;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Pipeline.Signals;

/// <summary>What is unusual about it.</summary>
internal enum SignalKind
{
    /// <summary>Many users come from what looks like one client.</summary>
    ManyIdentities,

    /// <summary>Signing in fails for many names from one place, or for one name from many places.</summary>
    CredentialStuffing,

    /// <summary>A user tries one topic after the other, and has no right to them or finds nothing there.</summary>
    SubscribeScan,

    /// <summary>A client or a user connects again and again.</summary>
    ReconnectStorm,

    /// <summary>What is delivered for a user or a tenant is suddenly a multiple of what it was.</summary>
    FanOut,
}

/// <summary>What is done about it, from the least to the most.</summary>
internal enum SignalEffect
{
    /// <summary>It is told, and nothing else.</summary>
    Observe,

    /// <summary>What the subject asks for counts as ten.</summary>
    Slow,

    /// <summary>Connecting and signing in takes a proof of work.</summary>
    Challenge,

    /// <summary>The subject is refused, and its connections are closed.</summary>
    Block,
}

/// <summary>What a subject is.</summary>
internal enum SubjectKind
{
    /// <summary>What looks like one client; see <see cref="Fingerprint"/>.</summary>
    Fingerprint,

    /// <summary>Addresses, as <c>203.0.113.0/24</c>.</summary>
    Range,

    /// <summary>Who has shown who he is.</summary>
    User,

    /// <summary>A name with which somebody wants to sign in, who may be anybody.</summary>
    Name,

    /// <summary>A tenant.</summary>
    Tenant,
}

/// <summary>Whom a signal is about.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Tenant">Of which tenant; addresses and clients are of the tenant <c>default</c>, whose administration runs the server.</param>
/// <param name="Id">Which one.</param>
internal readonly record struct SignalSubject(SubjectKind Kind, string Tenant, string Id)
{
    /// <summary><c>fingerprint:5f0c…</c>, <c>range:203.0.113.0/24</c>, <c>user:ada</c>, <c>name:ada</c>, <c>tenant:acme</c>.</summary>
    public override string ToString() => $"{SignalNames.Of(Kind)}:{Id}";
}

/// <summary>The words of the wire.</summary>
internal static class SignalNames
{
    public static string Of(SignalKind kind) => kind switch
    {
        SignalKind.ManyIdentities => "many_identities",
        SignalKind.CredentialStuffing => "credential_stuffing",
        SignalKind.SubscribeScan => "subscribe_scan",
        SignalKind.ReconnectStorm => "reconnect_storm",
        _ => "fan_out",
    };

    public static string Of(SignalEffect effect) => effect switch
    {
        SignalEffect.Slow => "slow",
        SignalEffect.Challenge => "challenge",
        SignalEffect.Block => "block",
        _ => "observe",
    };

    public static string Of(SubjectKind kind) => kind switch
    {
        SubjectKind.Fingerprint => "fingerprint",
        SubjectKind.Range => "range",
        SubjectKind.User => "user",
        SubjectKind.Name => "name",
        _ => "tenant",
    };
}

/// <summary>Something unusual that was seen, for whoever looks after the tenant. The payload of <c>security:signal</c>.</summary>
/// <param name="Id">Names it.</param>
/// <param name="Kind"><c>many_identities</c>, <c>credential_stuffing</c>, <c>subscribe_scan</c>, <c>reconnect_storm</c> or <c>fan_out</c>.</param>
/// <param name="Subject">Whom it is about, <c>fingerprint:5f0c…</c>.</param>
/// <param name="Score">50 at the threshold, 75 at twice, 100 at four times as much.</param>
/// <param name="Explanation">A sentence with the numbers.</param>
/// <param name="FirstSeen">When it began.</param>
/// <param name="LastSeen">When it was seen last.</param>
/// <param name="Count">How often it was over the threshold since it was told last.</param>
/// <param name="Node">Which node has seen it.</param>
/// <param name="Action"><c>observe</c>, <c>slow</c>, <c>challenge</c> or <c>block</c>.</param>
/// <param name="Until">Until when that holds; null where nothing is done.</param>
/// <param name="Region">Where it comes from, by the operator's file.</param>
[Description("Something unusual that was seen.")]
internal sealed record SecuritySignal(
    string Id,
    string Kind,
    string Subject,
    [property: Description("50 at the threshold, 75 at twice, 100 at four times as much.")] int Score,
    [property: Description("A sentence with the numbers.")] string Explanation,
    DateTimeOffset FirstSeen,
    DateTimeOffset LastSeen,
    [property: Description("How often it was over the threshold since it was told last.")] long Count,
    string Node,
    [property: Description("observe, slow, challenge or block.")] string Action,
    [property: Description("Until when that holds; null where nothing is done.")] string? Until = null,
    string? Region = null);

/// <summary>A signal with its tenant.</summary>
/// <param name="Tenant">Whose administration is told.</param>
/// <param name="Told">What it is told.</param>
internal sealed record RaisedSignal(string Tenant, SecuritySignal Told);

/// <summary>What is done about a subject for a time.</summary>
/// <param name="Id">Names it; that of its signal.</param>
/// <param name="Kind">Of the signal.</param>
/// <param name="Effect">What is done.</param>
/// <param name="Subject">To whom.</param>
/// <param name="Score">Of the signal.</param>
/// <param name="Explanation">Of the signal.</param>
/// <param name="Since">When it began.</param>
/// <param name="Until">When it ends.</param>
/// <param name="Node">Which node has begun it.</param>
internal sealed record SignalAction(
    string Id, SignalKind Kind, SignalEffect Effect, SignalSubject Subject, int Score, string Explanation, DateTimeOffset Since, DateTimeOffset Until, string Node);

[JsonSourceGenerationOptions(System.Text.Json.JsonSerializerDefaults.Web, Converters = [typeof(TimestampConverter)])]
[JsonSerializable(typeof(SecuritySignal))]
[JsonSerializable(typeof(SignalPage))]
[JsonSerializable(typeof(SignalActionList))]
[JsonSerializable(typeof(NodeNews))]
internal sealed partial class SignalJson : JsonSerializerContext;
