using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Observability;
using RealtimeAspire.Server.Pipeline.Audit;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Limits;

namespace RealtimeAspire.Server.Pipeline.Signals;

/// <summary>This node's name in signals; made anew by every start.</summary>
internal sealed record SignalNode(string Name);

/// <summary>
/// Told in passing of what happens at the door and behind it; keeps the detectors, and raises what they find: it is counted, put on record and done
/// what the policy says at once, and handed on to whoever tells others. Never waits, never fails.
/// </summary>
internal sealed partial class SignalWatch
{
    // Of one fingerprint and of a range: how many users come from there is to be expected.
    private const int ManyUsers = 5;

    // A topic without events is mostly one that is about to have some.
    private const int Nothing = 10;

    private readonly SignalOptions _options;
    private readonly SignalActions _actions;
    private readonly SignalHistory _history;
    private readonly AuditTrail _audit;
    private readonly SignalInstruments _instruments;
    private readonly SignalNode _node;
    private readonly TimeProvider _time;
    private readonly ILogger<SignalWatch> _logger;
    private readonly Lock _lock = new();

    // Under the lock.
    private readonly SignalLedger _ledger;
    private readonly DistinctDetector<Fingerprint> _identities;
    private readonly DistinctDetector<Fingerprint> _namesOfFingerprint;
    private readonly DistinctDetector<string> _namesOfRange;
    private readonly DistinctDetector<UserKey> _rangesOfName;
    private readonly DistinctDetector<(UserKey User, string Type)> _refusedTopics;
    private readonly DistinctDetector<(UserKey User, string Type)> _emptyTopics;
    private readonly RateDetector<Fingerprint> _connectsOfFingerprint;
    private readonly RateDetector<UserKey> _connectsOfUser;
    private readonly VolumeDetector<UserKey> _volumeOfUser;
    private readonly VolumeDetector<string> _volumeOfTenant;

    public SignalWatch(
        IOptions<RealtimeOptions> options, SignalActions actions, SignalHistory history, AuditTrail audit, SignalInstruments instruments, SignalNode node, TimeProvider time, ILogger<SignalWatch> logger)
    {
        _options = options.Value.Signals;
        (_actions, _history, _audit, _instruments, _node, _time, _logger) = (actions, history, audit, instruments, node, time, logger);
        _ledger = new(_options.CoolDown);
        _identities = new(_options.ManyIdentities.Window);
        (_namesOfFingerprint, _namesOfRange, _rangesOfName) = (new(_options.CredentialStuffing.Window), new(_options.CredentialStuffing.Window), new(_options.CredentialStuffing.Window));
        (_refusedTopics, _emptyTopics) = (new(_options.SubscribeScan.Window), new(_options.SubscribeScan.Window));
        (_connectsOfFingerprint, _connectsOfUser) = (new(_options.ReconnectStorm.Window), new(_options.ReconnectStorm.Window));
        (_volumeOfUser, _volumeOfTenant) = (new(_options.FanOut.Threshold, _options.FanOut.Window), new(_options.FanOut.Threshold, _options.FanOut.Window));
    }

    /// <summary>Something was raised here, and this is begun about it, if anything is. Handlers must only enqueue.</summary>
    public event Action<RaisedSignal, SignalAction?>? Raised;

    private long Now => _time.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>Somebody is at the door to connect, whoever it is.</summary>
    public void Connecting(ClientOrigin origin)
    {
        if (!_options.Enabled)
        {
            return;
        }

        var (policy, now) = (_options.ReconnectStorm, Now);
        Finding? finding;
        bool isClockLike;
        lock (_lock)
        {
            finding = _connectsOfFingerprint.Add(origin.Fingerprint, policy.Threshold * ManyUsers, now, out isClockLike);
        }

        if (finding is { } found && IsNews(SignalKind.ReconnectStorm, origin.OfFingerprint, found, now, out var news))
        {
            Tell(news, $"One fingerprint connected {found.Value:0} times within {policy.WindowSeconds} s{Evenly(isClockLike)}; up to {policy.Threshold * ManyUsers} are ordinary.", origin);
        }
    }

    /// <summary>A user has been let in to connect.</summary>
    public void Connected(ClientOrigin? origin, Caller caller)
    {
        if (!_options.Enabled)
        {
            return;
        }

        var (policy, now) = (_options.ReconnectStorm, Now);
        Finding? finding;
        bool isClockLike;
        lock (_lock)
        {
            finding = _connectsOfUser.Add(new UserKey(caller.Tenant, caller.UserId), policy.Threshold, now, out isClockLike);
        }

        if (finding is { } found && IsNews(SignalKind.ReconnectStorm, new SignalSubject(SubjectKind.User, caller.Tenant, caller.UserId), found, now, out var news))
        {
            Tell(news, $"One user connected {found.Value:0} times within {policy.WindowSeconds} s{Evenly(isClockLike)}; up to {policy.Threshold} are ordinary.", origin);
        }

        Identified(origin, caller.Tenant, caller.UserId);
    }

    /// <summary>Somebody has shown that he is this user.</summary>
    public void Identified(ClientOrigin? origin, string tenant, string user)
    {
        if (!_options.Enabled || origin is not { Fingerprint.IsKnown: true })
        {
            return;
        }

        var (policy, now) = (_options.ManyIdentities, Now);
        Finding? finding;
        lock (_lock)
        {
            finding = _identities.Add(origin.Fingerprint, HashCode.Combine(tenant, user), policy.Threshold, now);
        }

        if (finding is { } found && IsNews(SignalKind.ManyIdentities, origin.OfFingerprint, found, now, out var news))
        {
            Tell(news, $"About {found.Value:0} users came from one fingerprint within {policy.WindowSeconds} s; fewer than {policy.Threshold} are ordinary.", origin);
        }
    }

    /// <summary>Signing in has failed.</summary>
    /// <param name="origin">From where.</param>
    /// <param name="tenant">In which tenant.</param>
    /// <param name="name">As whom; it could be a user's name.</param>
    public void SignInFailed(ClientOrigin? origin, string tenant, string name)
    {
        if (!_options.Enabled || origin is not { Fingerprint.IsKnown: true })
        {
            return;
        }

        var (policy, now, hash) = (_options.CredentialStuffing, Now, HashCode.Combine(tenant, name));
        Finding? ofFingerprint, ofRange, ofName;
        lock (_lock)
        {
            ofFingerprint = _namesOfFingerprint.Add(origin.Fingerprint, hash, policy.Threshold, now);
            ofRange = _namesOfRange.Add(origin.Range, hash, policy.Threshold * ManyUsers, now);
            ofName = _rangesOfName.Add(new UserKey(tenant, name), origin.Range.GetHashCode(StringComparison.Ordinal), policy.Threshold, now);
        }

        if (ofFingerprint is { } names && IsNews(SignalKind.CredentialStuffing, origin.OfFingerprint, names, now, out var news))
        {
            Tell(news, $"Signing in failed for about {names.Value:0} names from one fingerprint within {policy.WindowSeconds} s; fewer than {policy.Threshold} are ordinary.", origin);
        }

        if (ofRange is { } more && IsNews(SignalKind.CredentialStuffing, origin.OfRange, more, now, out news))
        {
            Tell(news, $"Signing in failed for about {more.Value:0} names from one range of addresses within {policy.WindowSeconds} s; fewer than {policy.Threshold * ManyUsers} are ordinary.", origin);
        }

        if (ofName is { } ranges && IsNews(SignalKind.CredentialStuffing, new SignalSubject(SubjectKind.Name, AuditEntry.NoTenant, NameOf(tenant, name)), ranges, now, out news))
        {
            Tell(news, $"Signing in with one name failed from about {ranges.Value:0} ranges of addresses within {policy.WindowSeconds} s; fewer than {policy.Threshold} are ordinary.", origin);
        }
    }

    /// <summary>How a name to sign in with is called as a subject: nobody has shown yet of which tenant he is.</summary>
    public static string NameOf(string tenant, string name) => tenant == Caller.DefaultTenant ? name : $"{tenant}/{name}";

    /// <summary>A user wanted to read what he has no right to, or what there is no type for.</summary>
    public void Refused(Caller caller, TopicName topic) => Scanned(_refusedTopics, caller, topic, 1, "was refused");

    /// <summary>A user has subscribed to a topic that has no events.</summary>
    public void FoundNothing(Caller caller, TopicName topic) => Scanned(_emptyTopics, caller, topic, Nothing, "found nothing in");

    /// <summary>So much has been delivered since this was last called for the topic.</summary>
    /// <param name="tenant">Whose.</param>
    /// <param name="last">The last of the events.</param>
    /// <param name="deliveries">Events times subscribers.</param>
    public void FannedOut(string tenant, EncodedEvent last, long deliveries)
    {
        if (!_options.Enabled)
        {
            return;
        }

        var (policy, now, publisher) = (_options.FanOut, Now, PublisherOf(last.Json.Span));
        Finding? ofTenant, ofUser = null;
        double averageOfTenant, averageOfUser = 0;
        lock (_lock)
        {
            ofTenant = _volumeOfTenant.Add(tenant, deliveries, now, out averageOfTenant);
            if (publisher is not null)
            {
                // The last one stands for all: over many calls each has his part.
                ofUser = _volumeOfUser.Add(new UserKey(tenant, publisher), deliveries, now, out averageOfUser);
            }
        }

        if (ofTenant is { } all && IsNews(SignalKind.FanOut, new SignalSubject(SubjectKind.Tenant, tenant, tenant), all, now, out var news))
        {
            Tell(news, $"{all.Value:0} deliveries of the tenant's events within {policy.WindowSeconds} s on this node; on average it was {averageOfTenant:0}.", origin: null);
        }

        if (ofUser is { } own && IsNews(SignalKind.FanOut, new SignalSubject(SubjectKind.User, tenant, publisher!), own, now, out news))
        {
            Tell(news, $"About {own.Value:0} deliveries of the user's events within {policy.WindowSeconds} s on this node; on average it was {averageOfUser:0}.", origin: null);
        }
    }

    private static string Evenly(bool isClockLike) => isClockLike ? ", as evenly as a clock" : "";

    private void Scanned(DistinctDetector<(UserKey, string)> detector, Caller caller, TopicName topic, int factor, string what)
    {
        if (!_options.Enabled || caller.IsServer)
        {
            return;
        }

        var (policy, now, type) = (_options.SubscribeScan, Now, topic.Type);
        var threshold = policy.Threshold * factor;
        Finding? finding;
        lock (_lock)
        {
            finding = detector.Add((new UserKey(caller.Tenant, caller.UserId), type), topic.Value.GetHashCode(StringComparison.Ordinal), threshold, now);
        }

        if (finding is { } found && IsNews(SignalKind.SubscribeScan, new SignalSubject(SubjectKind.User, caller.Tenant, caller.UserId), found, now, out var news))
        {
            Tell(news, $"One user {what} about {found.Value:0} topics of the type {type} within {policy.WindowSeconds} s; fewer than {threshold} are ordinary.", origin: null);
        }
    }

    /// <summary>Whether it is to be told, and not only counted.</summary>
    private bool IsNews(SignalKind kind, SignalSubject subject, Finding finding, long now, out News news)
    {
        var policy = _options.Of(kind);
        var effect = finding.Score >= policy.Score ? EffectOn(subject.Kind, policy.Action) : SignalEffect.Observe;
        long count;
        lock (_lock)
        {
            count = _ledger.Take(kind, subject, effect is not SignalEffect.Observe, now);
        }

        news = new News(kind, subject, finding, effect, count, now);
        return count > 0;
    }

    /// <summary>
    /// A tenant is not cut off by what one of its users does: suspending it is for people. And whoever tries somebody's name must not shut
    /// him out by that.
    /// </summary>
    private static SignalEffect EffectOn(SubjectKind subject, SignalEffect effect) => (subject, effect) switch
    {
        (SubjectKind.Tenant, > SignalEffect.Slow) => SignalEffect.Slow,
        (SubjectKind.Name, SignalEffect.Slow) => SignalEffect.Observe,
        (SubjectKind.Name, > SignalEffect.Challenge) => SignalEffect.Challenge,
        _ => effect,
    };

    private void Tell(News news, string explanation, ClientOrigin? origin)
    {
        var (first, last) = (DateTimeOffset.FromUnixTimeMilliseconds(news.Finding.First), DateTimeOffset.FromUnixTimeMilliseconds(news.Now));
        var id = Guid.CreateVersion7(last).ToString("n");
        SignalAction? done = null;
        if (news.Effect is not SignalEffect.Observe)
        {
            var until = last.AddSeconds(_options.Of(news.Kind).Seconds);
            done = _actions.Begin(new SignalAction(id, news.Kind, news.Effect, news.Subject, news.Finding.Score, explanation, last, until, _node.Name));
        }

        var effect = SignalNames.Of(done?.Effect ?? SignalEffect.Observe);
        var told = new SecuritySignal(
            id, SignalNames.Of(news.Kind), news.Subject.ToString(), news.Finding.Score, explanation, first, last, news.Count, _node.Name, effect, done?.Until.UtcDateTime.ToString(TimestampConverter.Format, CultureInfo.InvariantCulture), origin?.Region);
        var raised = new RaisedSignal(news.Subject.Tenant, told);
        _history.Add(raised);
        _instruments.Raised(told.Kind, raised.Tenant, effect, origin?.Region);
        _audit.Record(
            AuditAction.SignalRaised,
            raised.Tenant,
            AuditActor.System,
            $"{told.Kind} {told.Subject}",
            effect,
            new AuditSource(Range: origin?.Range, Region: origin?.Region),
            ("id", id), ("score", told.Score.ToString(CultureInfo.InvariantCulture)), ("explanation", explanation));
        LogRaised(told.Kind, raised.Tenant, told.Subject, told.Score, effect, explanation);
        Raised?.Invoke(raised, done?.Id == id ? done : null);
    }

    /// <summary>The publisher of an event, which stands behind its payload. Null: code of the server.</summary>
    private static string? PublisherOf(ReadOnlySpan<byte> json)
    {
        // No text can hold this: its quotes would be escaped.
        var at = json.LastIndexOf("\"user_id\":"u8);
        if (at < 0)
        {
            return null;
        }

        var reader = new Utf8JsonReader(json[(at + "\"user_id\":".Length)..], isFinalBlock: false, state: default);
        return reader.Read() && reader.TokenType is JsonTokenType.String ? reader.GetString() : null;
    }

    [LoggerMessage(EventId = 1620, Level = LogLevel.Warning, Message = "Unusual: {Kind} in {Tenant} by {Subject}, score {Score}, {Effect}. {Explanation}")]
    private partial void LogRaised(string kind, string tenant, string subject, int score, string effect, string explanation);

    private readonly record struct News(SignalKind Kind, SignalSubject Subject, Finding Finding, SignalEffect Effect, long Count, long Now);
}
