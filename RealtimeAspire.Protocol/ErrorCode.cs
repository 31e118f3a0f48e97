using System.Buffers;
using System.Diagnostics.CodeAnalysis;

namespace RealtimeAspire.Protocol;

/// <summary>
/// The stable error codes. Over HTTP an error is a problem details with <c>code</c>; over the hub it is an exception whose
/// message is <c>code: sentence</c>.
/// </summary>
/// <param name="Code">What programs compare.</param>
/// <param name="Status">The HTTP status it is answered with.</param>
/// <param name="Retryable">Whether the same request may succeed later.</param>
/// <param name="Sentence">What it means, for people.</param>
public sealed record ErrorCode(string Code, int Status, bool Retryable, string Sentence)
{
    private const string ApplicationPrefix = "app_";
    private const int MaxApplicationLength = 60;

    /// <summary>The body is not what the method takes.</summary>
    public static readonly ErrorCode RequestInvalid = new("request_invalid", 400, false, "The request has not the expected form.");

    /// <summary>Not a topic name.</summary>
    public static readonly ErrorCode TopicInvalid = new("topic_invalid", 400, false, "A topic is type:identifier, for example room:general.");

    /// <summary>No policy for the topic's type.</summary>
    public static readonly ErrorCode TopicTypeUnknown = new("topic_type_unknown", 404, false, "This server has no such topic type.");

    /// <summary>Not an event name.</summary>
    public static readonly ErrorCode EventInvalid = new("event_invalid", 400, false, "An event name is 1 to 64 of letters, digits and . _ : - and starts with a letter.");

    /// <summary>Clients may not publish this event here.</summary>
    public static readonly ErrorCode EventNotAllowed = new("event_not_allowed", 403, false, "Clients may not publish this event on this topic.");

    /// <summary>Nobody has registered the event.</summary>
    public static readonly ErrorCode EventUnknown = new("event_unknown", 400, false, "Topics of this type take registered events only; this one is not.");

    /// <summary>Not a version of the event.</summary>
    public static readonly ErrorCode VersionUnknown = new("version_unknown", 400, false, "The event is not registered in this version (v).");

    /// <summary>Not an id.</summary>
    public static readonly ErrorCode IdInvalid = new("id_invalid", 400, false, "An id is 1 to 128 visible ASCII characters.");

    /// <summary>The id stands for another event.</summary>
    public static readonly ErrorCode IdConflict = new("id_conflict", 409, false, "This id was used for another event on this topic.");

    /// <summary>The payload is not what the event takes.</summary>
    public static readonly ErrorCode PayloadInvalid = new("payload_invalid", 400, false, "The payload is not what this event takes.");

    /// <summary>The payload is over the limit.</summary>
    public static readonly ErrorCode PayloadTooLarge = new("payload_too_large", 413, false, "The payload is larger than this server takes.");

    /// <summary>Not a position.</summary>
    public static readonly ErrorCode PositionInvalid = new("position_invalid", 400, false, "A position is an epoch and an offset of 0 or more.");

    /// <summary>Not the name of a consumer.</summary>
    public static readonly ErrorCode ConsumerInvalid = new("consumer_invalid", 400, false, "A consumer is 1 to 64 visible ASCII characters.");

    /// <summary>The topic's type does not offer this.</summary>
    public static readonly ErrorCode QosNotAllowed = new("qos_not_allowed", 400, false, "Topics of this type do not offer this quality of service.");

    /// <summary>Not offered.</summary>
    public static readonly ErrorCode PresenceNotOffered = new("presence_not_offered", 400, false, "Topics of this type offer no presence.");

    /// <summary>More topics than one stream or poll takes.</summary>
    public static readonly ErrorCode TooManyTopics = new("too_many_topics", 400, false, "One stream takes at most 50 topics, and their positions 4 KB.");

    /// <summary>An array without elements.</summary>
    public static readonly ErrorCode BatchEmpty = new("batch_empty", 400, false, "The array has no elements.");

    /// <summary>An array with too many elements.</summary>
    public static readonly ErrorCode BatchTooLarge = new("batch_too_large", 413, false, "The array has more elements than this server takes.");

    /// <summary>An earlier element of the array failed.</summary>
    public static readonly ErrorCode NotAttempted = new("not_attempted", 503, true, "An earlier publish of the array failed; this one was not tried.");

    /// <summary>Too fast.</summary>
    public static readonly ErrorCode RateLimited = new("rate_limited", 429, true, "Too much in too short a time; slow down.");

    /// <summary>What was seen of the client, the user or the address was unusual, and the policy is to refuse it for a time.</summary>
    public static readonly ErrorCode Blocked = new("blocked", 429, true, "What came from here was unusual, and is refused for a time.");

    /// <summary>As <see cref="Blocked"/>, but for who proves that he has done some work; the problem has the challenge.</summary>
    public static readonly ErrorCode ChallengeRequired = new("challenge_required", 429, true, "What came from here was unusual: connecting takes a proof of work for a time.");

    /// <summary>The operator does not serve the region.</summary>
    public static readonly ErrorCode RegionBlocked = new("region_blocked", 403, false, "This server is not there for the region that you come from.");

    /// <summary>Too many subscriptions on a connection.</summary>
    public static readonly ErrorCode TooManySubscriptions = new("too_many_subscriptions", 403, false, "This connection has as many subscriptions as it may have.");

    /// <summary>As many connections as there may be.</summary>
    public static readonly ErrorCode TooManyConnections = new("too_many_connections", 429, true, "There are as many connections here as there may be; try again.");

    /// <summary>The connection was closed because it read too slowly.</summary>
    public static readonly ErrorCode SlowConsumer = new("slow_consumer", 503, true, "The connection read too slowly; connect again and recover.");

    /// <summary>Not the name of a method.</summary>
    public static readonly ErrorCode MethodInvalid = new("method_invalid", 400, false, "A method is 1 to 64 of letters, digits and . _ : - and starts with a letter.");

    /// <summary>Nobody handles the method.</summary>
    public static readonly ErrorCode NoHandler = new("no_handler", 404, true, "Nobody handles this method on this topic at the moment.");

    /// <summary>The handler has not answered in time. Whether it has done what was asked for is unknown.</summary>
    public static readonly ErrorCode CallTimeout = new("call_timeout", 504, true, "There was no answer in time; whether it was done is unknown.");

    /// <summary>The handler was lost before it had answered. Whether it has done what was asked for is unknown.</summary>
    public static readonly ErrorCode HandlerGone = new("handler_gone", 503, true, "Whoever was asked has gone without an answer; whether it was done is unknown.");

    /// <summary>The handler has answered with an error that has no code of its own.</summary>
    public static readonly ErrorCode CallFailed = new("call_failed", 422, false, "Whoever was asked could not do it.");

    /// <summary>No such call waits for an answer of this connection.</summary>
    public static readonly ErrorCode CallUnknown = new("call_unknown", 404, false, "No such call waits for an answer of this connection; it may have waited long enough.");

    /// <summary>No token.</summary>
    public static readonly ErrorCode TokenRequired = new("token_required", 401, false, "A bearer token is required.");

    /// <summary>A token that is not accepted.</summary>
    public static readonly ErrorCode TokenInvalid = new("token_invalid", 401, false, "The token is not valid here, or has expired.");

    /// <summary>The connection was closed because its token has expired.</summary>
    public static readonly ErrorCode TokenExpired = new("token_expired", 401, true, "The token has expired; connect again with a new one.");

    /// <summary>A token or service key that was taken back.</summary>
    public static readonly ErrorCode TokenRevoked = new("token_revoked", 401, false, "The token has been revoked; sign in again.");

    /// <summary>A new token for a living connection that is somebody else's.</summary>
    public static readonly ErrorCode TokenSubjectMismatch = new("token_subject_mismatch", 403, false, "The token is of another user or tenant than the connection.");

    /// <summary>A wrong name or a wrong password: which of them is not told.</summary>
    public static readonly ErrorCode SignInFailed = new("sign_in_failed", 401, false, "The user name or the password is wrong.");

    /// <summary>Signing in has failed too often.</summary>
    public static readonly ErrorCode LockedOut = new("locked_out", 429, true, "Signing in has failed too often; try again later.");

    /// <summary>Not a password.</summary>
    public static readonly ErrorCode PasswordInvalid = new("password_invalid", 400, false, "A password is 8 to 256 characters.");

    /// <summary>The authority whose token it may be cannot be asked for its keys.</summary>
    public static readonly ErrorCode AuthorityUnavailable = new("authority_unavailable", 503, true, "The authority's keys cannot be reached; try again.");

    /// <summary>A connection that is not encrypted.</summary>
    public static readonly ErrorCode TlsRequired = new("tls_required", 403, false, "This server is reached by https and wss only.");

    /// <summary>No right to this topic.</summary>
    public static readonly ErrorCode Forbidden = new("forbidden", 403, false, "You have no right to this topic.");

    /// <summary>A hook of the application's has refused it.</summary>
    public static readonly ErrorCode Denied = new("denied", 403, false, "The application does not allow this.");

    /// <summary>A hook of the application's has not answered.</summary>
    public static readonly ErrorCode HookUnavailable = new("hook_unavailable", 503, true, "The application that decides on this cannot be reached; try again.");

    /// <summary>An event that is not signed, where that is required.</summary>
    public static readonly ErrorCode SignatureRequired = new("signature_required", 403, false, "Events of this topic have to be signed by their publishers.");

    /// <summary>A signature that is not of this event.</summary>
    public static readonly ErrorCode SignatureInvalid = new("signature_invalid", 400, false, "The signature is not of this event by this key.");

    /// <summary>A signature that is too old: the event may be one that somebody has kept.</summary>
    public static readonly ErrorCode SignatureExpired = new("signature_expired", 400, false, "The event was signed too long ago, or in the future.");

    /// <summary>A key that the publisher does not have, or no more.</summary>
    public static readonly ErrorCode SigningKeyUnknown = new("signing_key_unknown", 403, false, "You have no such key to sign with, or it was revoked.");

    /// <summary>Not a public key.</summary>
    public static readonly ErrorCode SigningKeyInvalid = new("signing_key_invalid", 400, false, "A key is the public half of one on P-256, as jwk or spki.");

    /// <summary>A key that somebody else has registered, or that was revoked.</summary>
    public static readonly ErrorCode SigningKeyConflict = new("signing_key_conflict", 409, false, "This key is somebody else's, or was revoked; make another one.");

    /// <summary>A private topic keeps an owner.</summary>
    public static readonly ErrorCode LastOwner = new("last_owner", 409, false, "A topic keeps an owner: make somebody else one first.");

    /// <summary>A room of this name is there.</summary>
    public static readonly ErrorCode RoomExists = new("room_exists", 409, false, "There is a room of this name.");

    /// <summary>No such message in the room, or no more.</summary>
    public static readonly ErrorCode MessageNotFound = new("message_not_found", 404, false, "The room has no such message, or it was deleted.");

    /// <summary>Somebody else's message.</summary>
    public static readonly ErrorCode NotAuthor = new("not_author", 403, false, "This message is somebody else's.");

    /// <summary>A moderator has muted the user in the room.</summary>
    public static readonly ErrorCode Muted = new("muted", 403, false, "You may not write in this room for a time.");

    /// <summary>The room is slow, and the user has just written.</summary>
    public static readonly ErrorCode SlowMode = new("slow_mode", 429, true, "This room is slow: wait before you write again.");

    /// <summary>The room, or the application, does not take such a text.</summary>
    public static readonly ErrorCode TextRefused = new("text_refused", 422, false, "The text has something that is not wanted here.");

    /// <summary>A file of a kind that is not taken.</summary>
    public static readonly ErrorCode FileRefused = new("file_refused", 415, false, "Files of this kind are not taken.");

    /// <summary>A command that neither the room nor a bot in it has.</summary>
    public static readonly ErrorCode CommandUnknown = new("command_unknown", 404, false, "There is no such command here: /help tells which there are.");

    /// <summary>A command of this name is the room's own, or another bot's.</summary>
    public static readonly ErrorCode CommandTaken = new("command_taken", 409, false, "The command is another bot's, or every room's: choose another name.");

    /// <summary>The tenant is suspended.</summary>
    public static readonly ErrorCode TenantSuspended = new("tenant_suspended", 403, false, "This tenant is suspended; its operator can say why.");

    /// <summary>A tenant that the server does not have.</summary>
    public static readonly ErrorCode TenantUnknown = new("tenant_unknown", 403, false, "This server has no such tenant.");

    /// <summary>More than the tenant may have.</summary>
    public static readonly ErrorCode QuotaExceeded = new("quota_exceeded", 403, false, "The tenant has as much of this as it may have.");

    /// <summary>Not a user name.</summary>
    public static readonly ErrorCode UserInvalid = new("user_invalid", 400, false, "A user name is 1 to 64 of the characters that a topic identifier may have.");

    /// <summary>A kind of notification that nobody has registered.</summary>
    public static readonly ErrorCode KindUnknown = new("kind_unknown", 400, false, "There is no such kind of notification here.");

    /// <summary>Exists in development, and where the built-in identity is switched on.</summary>
    public static readonly ErrorCode DevelopmentOnly = new("development_only", 404, false, "Tokens are given out here only in development, or where the built-in identity is switched on.");

    /// <summary>A page of an origin that is not configured.</summary>
    public static readonly ErrorCode OriginNotAllowed = new("origin_not_allowed", 403, false, "Pages of this origin may not connect.");

    /// <summary>No such address.</summary>
    public static readonly ErrorCode NotFound = new("not_found", 404, false, "There is nothing at this address.");

    /// <summary>The address has no such method.</summary>
    public static readonly ErrorCode MethodNotAllowed = new("method_not_allowed", 405, false, "This address does not take this method.");

    /// <summary>The body has a type that is not taken.</summary>
    public static readonly ErrorCode MediaTypeUnsupported = new("media_type_unsupported", 415, false, "The body must be application/json.");

    /// <summary>The topic's log did not answer in time. Whether the event was appended is unknown: retry with the same id.</summary>
    public static readonly ErrorCode LogUnavailable = new("log_unavailable", 503, true, "The topic's log cannot be reached; try again with the same id.");

    /// <summary>The audit trail did not answer in time. What must be on record before it is done was not done.</summary>
    public static readonly ErrorCode AuditUnavailable = new("audit_unavailable", 503, true, "The audit trail cannot be reached, and without it this is not done; try again.");

    /// <summary>More is waiting than the server takes.</summary>
    public static readonly ErrorCode Overloaded = new("overloaded", 503, true, "The server has more waiting than it takes; try again.");

    /// <summary>The node is about to stop.</summary>
    public static readonly ErrorCode Draining = new("draining", 503, true, "The node is shutting down; connect again.");

    /// <summary>A backend has ended the subscription.</summary>
    public static readonly ErrorCode SubscriptionEnded = new("subscription_ended", 403, false, "The application has ended this subscription.");

    /// <summary>A backend has closed the connection.</summary>
    public static readonly ErrorCode ConnectionClosed = new("connection_closed", 403, false, "The application has closed this connection.");

    /// <summary>A backend has closed the connection, and wants its client back.</summary>
    public static readonly ErrorCode ConnectAgain = new("connect_again", 503, true, "The application asks this client to connect again.");

    /// <summary>Other nodes cannot be asked.</summary>
    public static readonly ErrorCode NodesUnreachable = new("nodes_unreachable", 503, true, "The other nodes cannot be asked at the moment; try again.");

    /// <summary>Said by the client itself: the connection is down or was lost; whether the request was done is unknown.</summary>
    public static readonly ErrorCode Disconnected = new("disconnected", 503, true, "The connection is down; try again with the same id.");

    /// <summary>A fault of the server.</summary>
    public static readonly ErrorCode Internal = new("internal", 500, true, "The server failed; its log says why.");

    /// <summary>Every code there is.</summary>
    public static IReadOnlyList<ErrorCode> All { get; } =
    [
        RequestInvalid, TopicInvalid, TopicTypeUnknown, EventInvalid, EventNotAllowed, EventUnknown,
        VersionUnknown, IdInvalid, IdConflict, PayloadInvalid, PayloadTooLarge, PositionInvalid,
        ConsumerInvalid, QosNotAllowed, PresenceNotOffered, TooManyTopics, BatchEmpty, BatchTooLarge,
        NotAttempted, RateLimited, Blocked, ChallengeRequired, RegionBlocked, TooManySubscriptions, TooManyConnections, SlowConsumer, MethodInvalid,
        NoHandler, CallTimeout, HandlerGone, CallFailed, CallUnknown, TokenRequired, TokenInvalid,
        TokenExpired, TokenRevoked, TokenSubjectMismatch, SignInFailed, LockedOut, PasswordInvalid,
        AuthorityUnavailable, TlsRequired, Forbidden, Denied, HookUnavailable, SignatureRequired, SignatureInvalid, SignatureExpired,
        SigningKeyUnknown, SigningKeyInvalid, SigningKeyConflict, LastOwner,
        RoomExists, MessageNotFound, NotAuthor, Muted, SlowMode, TextRefused, FileRefused, CommandUnknown, CommandTaken, TenantSuspended, TenantUnknown,
        QuotaExceeded, UserInvalid, KindUnknown, DevelopmentOnly, OriginNotAllowed, NotFound, MethodNotAllowed,
        MediaTypeUnsupported, LogUnavailable, AuditUnavailable, Overloaded, Draining,
        SubscriptionEnded, ConnectionClosed, ConnectAgain, NodesUnreachable, Disconnected, Internal,
    ];

    private static readonly SearchValues<char> ApplicationCharacters = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789_");

    private static Dictionary<string, ErrorCode> ByCode { get; } = All.ToDictionary(error => error.Code, StringComparer.Ordinal);

    /// <summary>The entry of a code; an unknown one, of a newer server, is not retryable.</summary>
    /// <param name="code">A code as received.</param>
    public static ErrorCode Find(string code) =>
        TryFind(code, out var error) ? error : new ErrorCode(code, 500, Retryable: false, code);

    /// <summary>The entry of a code, if there is one, or what stands for a code of an application.</summary>
    /// <param name="code">Any text.</param>
    /// <param name="error">The entry, where the result is true.</param>
    public static bool TryFind(string code, [NotNullWhen(true)] out ErrorCode? error)
    {
        ArgumentNullException.ThrowIfNull(code);
        if (!ByCode.TryGetValue(code, out error) && IsOfApplication(code))
        {
            error = CallFailed with { Code = code };
        }

        return error is not null;
    }

    /// <summary>What a handler of calls refuses with.</summary>
    /// <param name="code">A code of the application's own, <c>app_</c> and up to 60 of <c>a-z 0-9 _</c>.</param>
    /// <exception cref="ArgumentException">It is no such code.</exception>
    public static ErrorCode OfApplication(string code) => IsOfApplication(code)
        ? CallFailed with { Code = code }
        : throw new ArgumentException("A code of an application is app_ and up to 60 of a-z, 0-9 and _.", nameof(code));

    /// <summary>Whether it is a code that handlers may answer with: <c>app_</c> and up to 60 of <c>a-z 0-9 _</c>.</summary>
    /// <param name="code">Any text.</param>
    public static bool IsOfApplication(string code)
    {
        ArgumentNullException.ThrowIfNull(code);
        return code.StartsWith(ApplicationPrefix, StringComparison.Ordinal)
            && code.Length > ApplicationPrefix.Length
            && code.Length <= ApplicationPrefix.Length + MaxApplicationLength
            && !code.AsSpan().ContainsAnyExcept(ApplicationCharacters);
    }
}
