using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace RealtimeAspire.Server.Pipeline.Hooks;

/// <summary>Registers the hooks: the application's own middleware, and behind it those that a backend answers.</summary>
internal static class HookServices
{
    public static void AddHooks(this IServiceCollection services)
    {
        services.AddSingleton<IValidateOptions<RealtimeOptions>, HookRequirements>();
        services.AddSingleton<HttpHooks>();
        Add(services, static hooks => hooks.Connect);
        Add(services, static hooks => hooks.Subscribe);
        Add(services, static hooks => hooks.Publish);
    }

    private static void Add<TContext>(IServiceCollection services, Func<HttpHooks, IReadOnlyList<Hook<TContext>>> configured)
        where TContext : HookContext => services.AddSingleton(
            provider => new HookPipeline<TContext>([.. provider.GetServices<Hook<TContext>>(), .. configured(provider.GetRequiredService<HttpHooks>())], provider));
}
