using Microsoft.AspNetCore.Http;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Hooks;

namespace RealtimeAspire.Server.Pipeline.Authorization;

/// <summary>
/// The door: whoever is who he says is asked here whether he may come in, and what there is to know of his rights is looked up, so that nothing
/// behind it has to wait for that.
/// </summary>
internal sealed class Admission(
    Revocations revocations, Memberships memberships, AccessStore store, RightsCheck check, HookPipeline<ConnectContext> hooks, TimeProvider time)
{
    /// <summary>After a failure the store is left alone for so long: nobody waits for it at the door.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private long _failedAt = -1;

    /// <param name="named">Whom a valid token names.</param>
    /// <param name="context">Over which request.</param>
    /// <returns>The same, with his places in topics, and with what the application grants him.</returns>
    /// <exception cref="RealtimeException"><c>token_revoked</c>, or a code of the application's.</exception>
    public async ValueTask<Caller> AdmitAsync(Caller named, HttpContext context)
    {
        RequireNotRevoked(named);
        var known = await LookUpAsync(named, context.RequestAborted);
        return hooks.Covers(known, topic: null) ? await PassAsync(known, context) : known;
    }

    /// <summary>Hooks: what the application has to say.</summary>
    private async Task<Caller> PassAsync(Caller caller, HttpContext http)
    {
        var context = new ConnectContext(
            caller.Tenant, caller.UserId, http.Request.Path.StartsWithSegments(RealtimeServer.HubPath) ? "hub" : "http", hooks.Services, http.RequestAborted)
        {
            Address = http.Connection.RemoteIpAddress?.ToString(),
            UserAgent = http.Request.Headers.UserAgent.ToString() is { Length: > 0 } agent ? agent : null,
            Expires = caller.Expires,
            TokenId = caller.TokenId,
        };
        await hooks.RunAsync(context, caller, topic: null, static () => Task.CompletedTask);
        return context.Grants is { } grants ? caller with { Grants = new Grants([.. grants.Select(static grant => grant.Grant)]) } : caller;
    }

    private async ValueTask<Caller> LookUpAsync(Caller named, CancellationToken cancellationToken)
    {
        if (!store.Exists)
        {
            return named;
        }

        var places = memberships.PlacesOf(named.Tenant, named.UserId);
        if (!places.IsKnown)
        {
            await LookUpAsync(named, places, cancellationToken);
            // It may have happened while they were read.
            RequireNotRevoked(named);
        }

        return named with { Places = places };
    }

    private void RequireNotRevoked(Caller named)
    {
        if (revocations.Hit(named))
        {
            throw new RealtimeException(ErrorCode.TokenRevoked);
        }
    }

    /// <summary>
    /// Without Postgres nobody gains anything by his places, and everything else goes on: live events of open topics do not need it. That goes
    /// for who is banned too. His places count when they can be read, also for what he has had meanwhile.
    /// </summary>
    private async Task LookUpAsync(Caller named, UserPlaces places, CancellationToken cancellationToken)
    {
        var failedAt = Volatile.Read(ref _failedAt);
        if (failedAt >= 0 && time.GetElapsedTime(failedAt) < Pause)
        {
            places.IsMissed = true;
            return;
        }

        try
        {
            await places.LoadAsync(store, named.Tenant, named.UserId, cancellationToken);
            Volatile.Write(ref _failedAt, -1);
        }
        catch (RealtimeException)
        {
            Volatile.Write(ref _failedAt, time.GetTimestamp());
            places.IsMissed = true;
            return;
        }

        if (places.IsMissed)
        {
            places.IsMissed = false;
            check.Of(caller => caller.Tenant == named.Tenant && caller.UserId == named.UserId);
        }
    }
}
