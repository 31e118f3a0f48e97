using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Http;

namespace RealtimeAspire.Server.Features.Administration;

/// <summary>What operators do: tenants.</summary>
public static class AdministrationFeature
{
    private const int BodyBytes = 16 * 1024;

    /// <summary>Registers what operators need.</summary>
    /// <param name="realtime">What <c>AddRealtime()</c> returned.</param>
    public static RealtimeBuilder AddAdministration(this RealtimeBuilder realtime)
    {
        ArgumentNullException.ThrowIfNull(realtime);
        realtime.Services.AddSingleton(provider => ActivatorUtilities.CreateInstance<TenantAdministration>(provider));
        return realtime;
    }

    /// <summary>Maps <c>/tenants</c>.</summary>
    /// <param name="endpoints">The application.</param>
    public static IEndpointRouteBuilder MapAdministration(this IEndpointRouteBuilder endpoints)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        var tenants = endpoints.MapGroup("/tenants").WithTags("Administration").RequireAuthorization().WithProblems().WithBodyLimit(BodyBytes);
        tenants.MapGet("", TenantApi.ListAsync)
            .WithSummary("The tenants that were created, by name.")
            .Produces<TenantList>()
            .WithErrors(ErrorCode.Forbidden, ErrorCode.LogUnavailable);
        tenants.MapGet("/{tenant}", TenantApi.GetAsync)
            .WithSummary("A tenant that was created.")
            .Produces<TenantEntry>()
            .WithErrors(ErrorCode.RequestInvalid, ErrorCode.Forbidden, ErrorCode.NotFound, ErrorCode.LogUnavailable);
        tenants.MapPut("/{tenant}", TenantApi.PutAsync)
            .WithSummary("Creates a tenant, or makes it what is said here: suspends it, lifts that, sets its quotas.")
            .WithBody<TenantRequest>()
            .Produces<TenantEntry>()
            .WithErrors(
                ErrorCode.RequestInvalid, ErrorCode.Forbidden, ErrorCode.PayloadTooLarge, ErrorCode.MediaTypeUnsupported, ErrorCode.LogUnavailable);
        tenants.MapDelete("/{tenant}", TenantApi.DeleteAsync)
            .WithSummary("Forgets a tenant. What it has stored stays.")
            .Produces(StatusCodes.Status204NoContent)
            .WithErrors(ErrorCode.RequestInvalid, ErrorCode.Forbidden, ErrorCode.NotFound, ErrorCode.LogUnavailable);
        tenants.MapGet("/{tenant}/export", TenantApi.ExportAsync)
            .WithSummary("All durable events of a tenant as JSON lines, topic after topic.")
            .Produces<TopicEvent>(StatusCodes.Status200OK, TenantExport.ContentType)
            .WithErrors(ErrorCode.RequestInvalid, ErrorCode.Forbidden, ErrorCode.LogUnavailable, ErrorCode.Overloaded);
        return endpoints;
    }
}
