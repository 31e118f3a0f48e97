using System.ComponentModel;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Audit;
using RealtimeAspire.Server.Pipeline.Authorization;

namespace RealtimeAspire.Server.Http;

/// <summary>The audit trail of the caller's tenant, for its administration.</summary>
internal static class AuditApi
{
    private const int DefaultLimit = 100;

    private static readonly TopicName Managed = TopicName.Parse("system:audit");

    public static void MapAuditApi(this IEndpointRouteBuilder endpoints)
    {
        var audit = endpoints.MapGroup("/audit").WithTags("Administration").RequireAuthorization().WithProblems();
        audit.MapGet("", ReadAsync)
            .WithSummary("A page of the tenant's audit trail, ascending.")
            .Produces<AuditPage>()
            .WithErrors(ErrorCode.RequestInvalid, ErrorCode.Forbidden, ErrorCode.AuditUnavailable);
    }

    private static async Task<JsonHttpResult<AuditPage>> ReadAsync(
        HttpContext context,
        AuditReader reader,
        IOptions<RealtimeOptions> options,
        [Description("The entries after this number, 0 or more. Default: 0.")] long? after,
        [Description("The most entries, 1 or more; cut to the server's limit. Default: 100.")] int? limit)
    {
        var caller = Caller.From(context.User);
        TopicAccess.RequireManage(caller, Managed);
        if (after < 0 || limit < 1)
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, "'after' is 0 or more, 'limit' 1 or more.");
        }

        var most = Math.Min(limit ?? DefaultLimit, options.Value.Limits.HistoryEvents);
        var page = await reader.ReadAsync(caller.Tenant, after ?? 0, most, context.RequestAborted);
        return TypedResults.Json(page, ServerJson.Default.AuditPage);
    }
}
