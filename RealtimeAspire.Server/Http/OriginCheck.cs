using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Audit;

namespace RealtimeAspire.Server.Http;

/// <summary>
/// Browsers let any page open a WebSocket to anywhere; only the server can refuse. Requests without an Origin do not come
/// from a page.
/// </summary>
internal sealed class OriginCheck(RequestDelegate next, IOptions<RealtimeOptions> options, AuditTrail audit)
{
    private readonly HashSet<string> _allowed = new(options.Value.AllowedOrigins, StringComparer.OrdinalIgnoreCase);

    public Task InvokeAsync(HttpContext context)
    {
        var origin = context.Request.Headers.Origin.ToString();
        var isRefused = origin.Length > 0
            && context.WebSockets.IsWebSocketRequest
            && !_allowed.Contains(origin)
            && !string.Equals(origin, $"{context.Request.Scheme}://{context.Request.Host}", StringComparison.OrdinalIgnoreCase);
        return isRefused ? RefuseAsync(context, origin) : next(context);
    }

    private Task RefuseAsync(HttpContext context, string origin)
    {
        audit.Record(AuditAction.OriginRefused, AuditEntry.NoTenant, AuditActor.Unknown, origin, ErrorCode.OriginNotAllowed.Code, AuditSource.Of(context));
        return Problems.From(ErrorCode.OriginNotAllowed).ExecuteAsync(context);
    }
}
