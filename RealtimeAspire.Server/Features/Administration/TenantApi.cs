using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Http;
using RealtimeAspire.Server.Pipeline.Authorization;

namespace RealtimeAspire.Server.Features.Administration;

/// <summary>What a tenant may have at most. What is missing is as the server's limits have it for everybody.</summary>
/// <param name="Connections">Connections at the same time, over all nodes.</param>
/// <param name="Topics">Durable topics.</param>
/// <param name="SubscriptionsPerConnection">Topics that one connection may subscribe to.</param>
/// <param name="PublishesPerSecond">Publishes per second, over all nodes.</param>
/// <param name="PayloadBytes">The largest payload, in bytes of its JSON.</param>
/// <param name="RetentionDays">For how many days events are kept.</param>
internal sealed record QuotaEntry(
    [property: Range(0, int.MaxValue)] int? Connections = null,
    [property: Range(0, int.MaxValue)] int? Topics = null,
    [property: Range(0, int.MaxValue)] int? SubscriptionsPerConnection = null,
    [property: Range(0, int.MaxValue)] int? PublishesPerSecond = null,
    [property: Range(1, int.MaxValue)] int? PayloadBytes = null,
    [property: Range(1, 3_650)] int? RetentionDays = null);

/// <summary>What a tenant shall be.</summary>
/// <param name="Suspended">Whether nothing of it comes in or goes out.</param>
/// <param name="Reason">Why it is suspended, 1 to 500 characters; for operators.</param>
/// <param name="Quotas">What it may have at most.</param>
internal sealed record TenantRequest(bool Suspended = false, string? Reason = null, QuotaEntry? Quotas = null);

/// <summary>A tenant.</summary>
/// <param name="Tenant">What tokens say.</param>
/// <param name="CreatedAt">Since when it is there.</param>
/// <param name="SuspendedAt">Since when it is suspended; null: it is not.</param>
/// <param name="Reason">Why.</param>
/// <param name="Quotas">What it may have at most.</param>
internal sealed record TenantEntry(string Tenant, DateTimeOffset CreatedAt, DateTimeOffset? SuspendedAt, string? Reason, QuotaEntry Quotas);

/// <summary>The tenants that were created.</summary>
/// <param name="Tenants">By name.</param>
internal sealed record TenantList(IReadOnlyList<TenantEntry> Tenants);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, Converters = [typeof(TimestampConverter)])]
[JsonSerializable(typeof(TenantRequest))]
[JsonSerializable(typeof(TenantEntry))]
[JsonSerializable(typeof(TenantList))]
internal sealed partial class TenantJson : JsonSerializerContext;

/// <summary>Tenants over HTTP, for operators.</summary>
internal static class TenantApi
{
    public static async Task<JsonHttpResult<TenantList>> ListAsync(HttpContext context, TenantAdministration tenants, TopicAccess access)
    {
        access.RequireManage(Caller.From(context.User));
        return TypedResults.Json(new TenantList(await tenants.ListAsync(context.RequestAborted)), TenantJson.Default.TenantList);
    }

    public static async Task<JsonHttpResult<TenantEntry>> GetAsync(string tenant, HttpContext context, TenantAdministration tenants, TopicAccess access)
    {
        access.RequireManage(Caller.From(context.User));
        return TypedResults.Json(await tenants.GetAsync(tenant, context.RequestAborted), TenantJson.Default.TenantEntry);
    }

    public static async Task<JsonHttpResult<TenantEntry>> PutAsync(string tenant, HttpContext context, TenantAdministration tenants, TopicAccess access)
    {
        var caller = Caller.From(context.User);
        access.RequireManage(caller);
        using var body = await JsonBody.ReadAsync(context.Request);
        var request = JsonBody.To(body.RootElement, TenantJson.Default.TenantRequest);
        return TypedResults.Json(await tenants.PutAsync(caller, tenant, request, context.RequestAborted), TenantJson.Default.TenantEntry);
    }

    public static async Task<NoContent> DeleteAsync(string tenant, HttpContext context, TenantAdministration tenants, TopicAccess access)
    {
        var caller = Caller.From(context.User);
        access.RequireManage(caller);
        await tenants.DeleteAsync(caller, tenant, context.RequestAborted);
        return TypedResults.NoContent();
    }

    public static async Task ExportAsync(
        string tenant,
        HttpContext context,
        TenantAdministration tenants,
        TopicAccess access,
        [Description("The last event that was read, topic/epoch:offset; what comes behind it follows.")] string? after)
    {
        var caller = Caller.From(context.User);
        access.RequireManage(caller);
        await tenants.ExportAsync(caller, tenant, after, context);
    }
}
