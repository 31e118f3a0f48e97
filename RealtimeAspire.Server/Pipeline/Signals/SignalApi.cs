using System.ComponentModel;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Http;
using RealtimeAspire.Server.Pipeline.Audit;
using RealtimeAspire.Server.Pipeline.Authorization;

namespace RealtimeAspire.Server.Pipeline.Signals;

/// <summary>Signals of a tenant.</summary>
/// <param name="Signals">The newest first.</param>
/// <param name="Complete">There are none before them.</param>
internal sealed record SignalPage(IReadOnlyList<SecuritySignal> Signals, bool Complete);

/// <summary>What is done about a subject.</summary>
/// <param name="Id">Names it.</param>
/// <param name="Kind">Of its signal.</param>
/// <param name="Action"><c>slow</c>, <c>challenge</c> or <c>block</c>.</param>
/// <param name="Subject">About whom.</param>
/// <param name="Score">Of its signal.</param>
/// <param name="Explanation">Of its signal.</param>
/// <param name="Since">When it began.</param>
/// <param name="Until">When it ends.</param>
/// <param name="Node">Which node has begun it.</param>
internal sealed record SignalActionEntry(
    string Id, string Kind, string Action, string Subject, int Score, string Explanation, DateTimeOffset Since, DateTimeOffset Until, string Node);

/// <summary>What is done at the moment.</summary>
/// <param name="Actions">The oldest first.</param>
internal sealed record SignalActionList(IReadOnlyList<SignalActionEntry> Actions);

/// <summary>What was unusual lately and what is done about it, for who has the operation <c>manage</c> on <c>system:security</c>.</summary>
internal static class SignalApi
{
    private const int DefaultLimit = 100;
    private const int MaxIdLength = 64;

    public static void MapSignalApi(this IEndpointRouteBuilder endpoints)
    {
        var signals = endpoints.MapGroup("/signals").WithTags("Administration").RequireAuthorization().WithProblems();
        signals.MapMethods("", ReadMethods.All, Page)
            .WithSummary("The tenant's signals that the node knows of, the newest first.")
            .Produces<SignalPage>()
            .WithErrors(ErrorCode.RequestInvalid, ErrorCode.Forbidden);
        signals.MapMethods("/actions", ReadMethods.All, List)
            .WithSummary("What is done at the moment.")
            .Produces<SignalActionList>()
            .WithErrors(ErrorCode.Forbidden);
        signals.MapDelete("/actions/{id}", LiftAsync)
            .WithSummary("Ends what is done, on every node.")
            .Produces(StatusCodes.Status204NoContent)
            .WithErrors(ErrorCode.Forbidden, ErrorCode.NotFound, ErrorCode.AuditUnavailable);
    }

    private static JsonHttpResult<SignalPage> Page(
        HttpContext context,
        SignalHistory history,
        IOptions<RealtimeOptions> options,
        [Description("The signals before the one of this id.")] string? before,
        [Description("The most signals, 1 or more; cut to the server's limit. Default: 100.")] int? limit)
    {
        var caller = Caller.From(context.User);
        TopicAccess.RequireManage(caller, SignalReporter.Topic);
        if (limit < 1 || before is { Length: 0 or > MaxIdLength })
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, "'limit' is 1 or more, 'before' the id of a signal.");
        }

        context.Response.Headers.CacheControl = "no-store";
        var page = history.Page(caller.Tenant, before, Math.Min(limit ?? DefaultLimit, options.Value.Limits.HistoryEvents));
        return TypedResults.Json(page, SignalJson.Default.SignalPage);
    }

    private static JsonHttpResult<SignalActionList> List(HttpContext context, SignalActions actions)
    {
        var caller = Caller.From(context.User);
        TopicAccess.RequireManage(caller, SignalReporter.Topic);
        context.Response.Headers.CacheControl = "no-store";
        return TypedResults.Json(new SignalActionList([.. actions.All.Where(action => action.Subject.Tenant == caller.Tenant).Select(ToEntry)]), SignalJson.Default.SignalActionList);
    }

    private static async Task<NoContent> LiftAsync(string id, HttpContext context, SignalActions actions, SignalNews news, AuditTrail audit)
    {
        var caller = Caller.From(context.User);
        TopicAccess.RequireManage(caller, SignalReporter.Topic);
        if (actions.All.FirstOrDefault(action => action.Id == id && action.Subject.Tenant == caller.Tenant) is not { } lifted)
        {
            throw new RealtimeException(ErrorCode.NotFound, "There is no such action, or it is over.");
        }

        await audit.RecordAsync(
            AuditAction.SignalLifted,
            caller.Tenant,
            AuditActor.Of(caller),
            $"{SignalNames.Of(lifted.Effect)} {lifted.Subject}",
            source: AuditSource.Of(context),
            details: [("id", id)]);
        actions.Lift(id);
        news.Tell(new LiftedAction(id, lifted.Until));
        return TypedResults.NoContent();
    }

    private static SignalActionEntry ToEntry(SignalAction action) => new(
        action.Id, SignalNames.Of(action.Kind), SignalNames.Of(action.Effect), action.Subject.ToString(), action.Score, action.Explanation, action.Since, action.Until, action.Node);
}
