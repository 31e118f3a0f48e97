using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace RealtimeAspire.ServiceDefaults;

/// <summary>The two health endpoints and what they answer.</summary>
internal static class Probes
{
    public const string Health = "/health";
    public const string Alive = "/alive";

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };

    public static bool Match(PathString path) => path.Equals(Health) || path.Equals(Alive);

    /// <summary>Anyone may ask, so only a developer is told why a check fails.</summary>
    public static Task WriteAsync(HttpContext context, HealthReport report)
    {
        var tellWhy = context.RequestServices.GetRequiredService<IHostEnvironment>().IsDevelopment();
        var checks = report.Entries.Select(entry =>
            new Check(entry.Key, entry.Value.Status.ToString(), tellWhy ? entry.Value.Description ?? entry.Value.Exception?.Message : null));
        return context.Response.WriteAsJsonAsync(new Answer(report.Status.ToString(), checks), Json);
    }

    private sealed record Answer(string Status, IEnumerable<Check> Checks);

    private sealed record Check(string Name, string Status, string? Description);
}
