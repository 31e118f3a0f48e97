using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using RealtimeAspire.Server.Observability;
using RealtimeAspire.Server.Pipeline.Backplane;
using RealtimeAspire.Server.Pipeline.Limits;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.Signals;

/// <summary>The door to what is unusual.</summary>
internal static class SignalsFeature
{
    public static void AddSignals(this IServiceCollection services)
    {
        services.AddSingleton(provider => new SignalNode(
            (provider.GetService<NodeId>() ?? NodeId.New()).Value.ToString("x16", CultureInfo.InvariantCulture)));
        services.AddSingleton<SignalInstruments>();
        services.AddSingleton<SignalSecret>();
        services.AddSingleton<Fingerprints>();
        services.AddSingleton<ClientOrigins>();
        services.AddSingleton<SignalActions>();
        services.AddSingleton<SignalHistory>();
        services.AddSingleton<Challenges>();
        services.AddSingleton<SignalDoor>();
        services.AddSingleton<SignInSignals>();
        services.AddSingleton<SignalWatch>();
        services.AddSingleton(provider => ActivatorUtilities.CreateInstance<SignalNews>(provider));
        services.AddHostedService(provider => provider.GetRequiredService<SignalNews>());
        services.AddHosted<SignalReporter>();
    }

    /// <summary>What subscribers to <c>system:security</c> receive.</summary>
    public static RealtimeBuilder AddSignalEvents(this RealtimeBuilder realtime) => realtime.AddRule(
        new EventRule(TopicCatalog.System, SignalReporter.Event, PayloadSchema.Of(SignalJson.Default.SecuritySignal), FromClients: false));

    /// <summary>Before anybody is authenticated.</summary>
    public static void UseClientGate(this IApplicationBuilder app) => app.UseMiddleware<ClientGate>();

    /// <summary>Behind that.</summary>
    public static void UseCallerGate(this IApplicationBuilder app) => app.UseMiddleware<CallerGate>();
}
