using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Npgsql;

namespace RealtimeAspire.Server.Pipeline.Audit;

/// <summary>The audit trail: always there to be told, and on record where the application has Postgres.</summary>
internal static class AuditServices
{
    public static void AddAudit(this IServiceCollection services, bool hasPostgres)
    {
        services.AddSingleton<AuditInstruments>();
        services.AddSingleton(provider => new AuditTrail(
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<AuditInstruments>(),
            provider.GetRequiredService<IOptions<RealtimeOptions>>().Value.Audit.WaitingEntries));
        services.AddSingleton(provider => new AuditReader(provider.GetService<NpgsqlDataSource>()));
        services.AddSingleton<IValidateOptions<RealtimeOptions>>(provider => new AuditRequirements(hasPostgres, provider.GetRequiredService<IHostEnvironment>()));
        if (!hasPostgres)
        {
            return;
        }

        services.AddSingleton(provider => AuditKey.Of(provider.GetRequiredService<IOptions<RealtimeOptions>>().Value));
        services.AddSingleton<AuditAppender>();
        services.AddSingleton<AuditCheckpoints>();
        services.AddSingleton<AuditPruning>();
        // Stopped in reverse: the last entries are written, then signed.
        services.AddHosted<AuditSealer>();
        services.AddHosted<AuditWriter>();
    }
}
