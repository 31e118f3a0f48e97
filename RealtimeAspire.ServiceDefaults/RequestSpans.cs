using System.Diagnostics;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Metadata;
using OpenTelemetry;

namespace RealtimeAspire.ServiceDefaults;

/// <summary>
/// Completes ASP.NET Core's own span of each request with what is known only afterwards: route, status code, error.
/// Tag names are those of OpenTelemetry's HTTP conventions.
/// </summary>
internal sealed class RequestSpans : IStartupFilter
{
    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
    {
        app.Use(RunAsync);
        next(app);
    };

    private static Task RunAsync(HttpContext context, RequestDelegate next)
    {
        if (context.Features.Get<IHttpActivityFeature>()?.Activity is not { } span)
            return next(context);
        return Probes.Match(context.Request.Path) ? RunUntracedAsync(context, next, span) : RunTracedAsync(context, next, span);
    }

    /// <summary>Probes come every second and would bury everything else, as would the queries that they cause.</summary>
    private static async Task RunUntracedAsync(HttpContext context, RequestDelegate next, Activity span)
    {
        span.IsAllDataRequested = false;
        span.ActivityTraceFlags &= ~ActivityTraceFlags.Recorded;
        using (SuppressInstrumentationScope.Begin())
            await next(context);
    }

    private static async Task RunTracedAsync(HttpContext context, RequestDelegate next, Activity span)
    {
        string? error = null;
        try
        {
            await next(context);
        }
        catch (Exception exception) when (!context.RequestAborted.IsCancellationRequested)
        {
            error = exception.GetType().FullName;
            throw;
        }
        finally
        {
            Complete(span, context, error);
        }
    }

    private static void Complete(Activity span, HttpContext context, string? error)
    {
        var method = span.GetTagItem("http.request.method");
        var route = context.GetEndpoint()?.Metadata.GetMetadata<IRouteDiagnosticsMetadata>()?.Route;
        // What escapes from here the server turns into a 500 further out.
        var status = error is null ? context.Response.StatusCode : StatusCodes.Status500InternalServerError;

        span.DisplayName = route is null ? $"{method}" : $"{method} {route}";
        span.SetTag("http.route", route);
        span.SetTag("http.response.status_code", status);

        // A client's mistake is not the server's error.
        if (status < StatusCodes.Status500InternalServerError)
            return;
        span.SetTag("error.type", error ?? status.ToString());
        span.SetStatus(ActivityStatusCode.Error);
    }
}
