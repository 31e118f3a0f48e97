using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using RealtimeAspire.Server.Observability;

namespace RealtimeAspire.Server.Pipeline.Limits;

internal static class LimitServices
{
    public static void AddLimits(this IServiceCollection services)
    {
        services.AddSingleton<LimitInstruments>();
        services.AddSingleton<TenantLimits>();
        services.AddSingleton(provider => ActivatorUtilities.CreateInstance<TenantShares>(provider));
        services.AddHostedService(provider => provider.GetRequiredService<TenantShares>());
        services.AddSingleton<PublishLimiter>();
        services.AddSingleton<RequestLimiter>();
        services.AddSingleton<ConnectLimiter>();
        services.AddSingleton<ConnectionCaps>();
        services.AddSingleton<RegionLimiter>();
        services.AddSingleton<IValidateOptions<RealtimeOptions>, RegionRequirements>();
        services.AddHosted<Regions>();
        services.AddSingleton<TenantTopics>();
        services.AddSingleton(provider => ActivatorUtilities.CreateInstance<LoginLimiter>(provider));
    }
}
