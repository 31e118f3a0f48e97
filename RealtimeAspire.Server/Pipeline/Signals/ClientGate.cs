using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Http;
using RealtimeAspire.Server.Observability;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Limits;

namespace RealtimeAspire.Server.Pipeline.Signals;

/// <summary>Finds out where a request comes from, as far as anybody needs to know.</summary>
internal sealed class ClientOrigins(Fingerprints fingerprints, Regions regions, SignalActions actions)
{
    /// <returns>Null: nobody needs to know.</returns>
    public ClientOrigin? Find(HttpContext context, bool isConnect)
    {
        var isAnybodyWatched = !actions.IsEmpty;
        if (!isConnect && !isAnybodyWatched && !regions.Exist)
        {
            return null;
        }

        var address = context.Connection.RemoteIpAddress;
        var range = ClientOrigin.RangeOf(address);
        return new ClientOrigin(
            range,
            regions.Of(address),
            isConnect || isAnybodyWatched ? fingerprints.Of(context, range) : default,
            isAnybodyWatched ? fingerprints.FormerOf(context, range) : default);
    }
}

/// <summary>Does at the door what is to be done about somebody.</summary>
internal sealed class SignalDoor(Challenges challenges, SignalInstruments instruments, TimeProvider time)
{
    private static readonly PathString SignIn = "/auth/token";

    /// <summary>Whether the request opens a connection that lasts.</summary>
    public static bool Opens(HttpContext context) =>
        (context.Request.Path.StartsWithSegments(RealtimeServer.HubPath) && context.WebSockets.IsWebSocketRequest) || context.Request.Path.StartsWithSegments(StreamApi.Path);

    /// <returns>The answer; null: it may pass, perhaps at a higher cost.</returns>
    public IResult? Refuse(HttpContext context, ClientOrigin? origin, SignalAction? action)
    {
        switch (action?.Effect)
        {
            case SignalEffect.Block:
                instruments.Refused(ErrorCode.Blocked.Code, origin?.Region);
                return Problems.From(new RealtimeException(ErrorCode.Blocked) { RetryAfter = RestOf(action) });
            case SignalEffect.Challenge when origin is not null && AsksForProof(context) && !IsProven(context, origin):
                instruments.Refused(ErrorCode.ChallengeRequired.Code, origin.Region);
                return Problems.From(new RealtimeException(ErrorCode.ChallengeRequired) { RetryAfter = RestOf(action) }, ("challenge", challenges.Make(origin.Fingerprint)));
            case SignalEffect.Slow when origin is not null:
                origin.Cost = SignalActions.SlowFactor;
                return null;
            default:
                return null;
        }
    }

    private TimeSpan RestOf(SignalAction action) => action.Until - time.GetUtcNow() is { Ticks: > 0 } rest ? rest : TimeSpan.Zero;

    private static bool AsksForProof(HttpContext context) =>
        context.Request.Path.StartsWithSegments(RealtimeServer.HubPath) || Opens(context) || (context.Request.Path == SignIn && HttpMethods.IsPost(context.Request.Method));

    /// <summary>A negotiation only looks at the proof: it is for what follows it.</summary>
    private bool IsProven(HttpContext context, ClientOrigin origin)
    {
        if (!origin.HasProof)
        {
            var proof = context.Request.Headers[Challenges.Header].ToString() is { Length: > 0 } sent ? sent : context.Request.Query[Challenges.Query].ToString();
            origin.HasProof = challenges.IsProven(proof, origin.Fingerprint, origin.Former, takes: Opens(context) || context.Request.Path == SignIn);
        }

        return origin.HasProof;
    }
}

/// <summary>Before anybody looks at what they have brought: regions, addresses and what looks like one client.</summary>
internal sealed class ClientGate(RequestDelegate next, ClientOrigins origins, SignalActions actions, SignalDoor door, SignalWatch watch, RegionLimiter regions)
{
    public Task InvokeAsync(HttpContext context)
    {
        var path = context.Request.Path;
        var isConnect = ConnectGate.IsConnect(path);
        if (path.Equals("/health") || path.Equals("/alive") || origins.Find(context, isConnect) is not { } origin)
        {
            return next(context);
        }

        context.Features.Set(origin);
        if (regions.Refuse(origin.Region, isConnect) is { } foreign)
        {
            return Problems.From(foreign).ExecuteAsync(context);
        }

        if (SignalDoor.Opens(context))
        {
            watch.Connecting(origin);
        }

        return door.Refuse(context, origin, actions.Of(origin)) is { } refusal ? refusal.ExecuteAsync(context) : next(context);
    }
}

/// <summary>Behind it: users, whom nobody has known before.</summary>
internal sealed class CallerGate(RequestDelegate next, SignalActions actions, SignalDoor door, SignalWatch watch)
{
    public Task InvokeAsync(HttpContext context)
    {
        var opens = SignalDoor.Opens(context);
        if ((!opens && actions.IsEmpty) || CallerOf(context) is not { } caller)
        {
            return next(context);
        }

        var origin = ClientOrigin.Of(context);
        if (door.Refuse(context, origin, actions.Of(caller)) is { } refusal)
        {
            return refusal.ExecuteAsync(context);
        }

        if (opens)
        {
            watch.Connected(origin, caller);
        }

        return next(context);
    }

    /// <summary>Null also for somebody of the application's own, by another scheme.</summary>
    private static Caller? CallerOf(HttpContext context) => context.User.Identities.OfType<CallerIdentity>().FirstOrDefault()?.Caller;
}

/// <summary>What signing in tells, and has to prove.</summary>
internal sealed class SignInSignals(SignalActions actions, SignalDoor door, SignalWatch watch)
{
    /// <param name="context">The request.</param>
    /// <param name="tenant">Where.</param>
    /// <param name="user">As whom; untrusted.</param>
    /// <returns>The answer; null: it may be tried.</returns>
    public IResult? Refuse(HttpContext context, string tenant, string? user) => actions.IsEmpty || user is null
        ? null
        : door.Refuse(context, ClientOrigin.Of(context), actions.Of(new SignalSubject(SubjectKind.Name, Caller.DefaultTenant, SignalWatch.NameOf(tenant, user))));

    public void Succeeded(HttpContext context, string tenant, string? user) => watch.Identified(ClientOrigin.Of(context), tenant, user!);

    public void Failed(HttpContext context, string tenant, string? user, ErrorCode error)
    {
        // What can be nobody's name is no try to be somebody.
        if ((error == ErrorCode.SignInFailed || error == ErrorCode.LockedOut || error == ErrorCode.RateLimited) && TokenIssuer.IsUser(user))
        {
            watch.SignInFailed(ClientOrigin.Of(context), tenant, user);
        }
    }
}
