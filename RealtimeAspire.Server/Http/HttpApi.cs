using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Cors.Infrastructure;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Microsoft.Net.Http.Headers;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Signals;
using RealtimeAspire.Server.Pipeline.Signing;

namespace RealtimeAspire.Server.Http;

/// <summary>The door to the HTTP API over topics.</summary>
internal static class HttpApi
{
    private static readonly TimeSpan PreflightAge = TimeSpan.FromMinutes(10);

    public static void AddHttpApi(this IServiceCollection services)
    {
        services.AddProblemDetails(options => options.CustomizeProblemDetails = Problems.Complete);
        services.ConfigureHttpJsonOptions(options => ServerJson.Configure(options.SerializerOptions));
        // A value of the query that does not parse is the client's fault: a problem, not an exception.
        services.Configure<RouteHandlerOptions>(options => options.ThrowOnBadRequest = false);
        services.Configure<ExceptionHandlerOptions>(options => options.StatusCodeSelector = Problems.StatusOf);
        services.AddCors();
        services.AddOptions<CorsOptions>().Configure<IOptions<RealtimeOptions>>((cors, realtime) => cors.AddDefaultPolicy(policy => policy
            .WithOrigins(realtime.Value.AllowedOrigins)
            .AllowAnyHeader()
            .AllowAnyMethod()
            .AllowCredentials()
            .WithExposedHeaders(HeaderNames.ETag, HeaderNames.RetryAfter)
            .SetPreflightMaxAge(PreflightAge)));
        services.AddApiDocument();
        services.AddSingleton<EventDocument>();
        services.AddSingleton<KeyPath>();
    }

    public static void MapHttpApi(this IEndpointRouteBuilder endpoints)
    {
        endpoints.MapEventApi();
        endpoints.MapMemberApi();
        endpoints.MapKeyApi();
        endpoints.MapBackendApi();
        endpoints.MapSigningKeyApi();
        endpoints.MapAuditApi();
        endpoints.MapSignalApi();
        endpoints.MapOpenApi().AllowAnonymous();
        endpoints.MapGet("/asyncapi/v3.json", EventDocument.Get).AllowAnonymous().ExcludeFromDescription();
    }
}
