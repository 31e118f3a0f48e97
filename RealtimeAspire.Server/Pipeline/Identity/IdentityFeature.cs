using Microsoft.Extensions.DependencyInjection;

namespace RealtimeAspire.Server.Pipeline.Identity;

/// <summary>Who somebody is, and how he shows it.</summary>
internal static class IdentityFeature
{
    public static void AddIdentity(this IServiceCollection services)
    {
        services.AddSingleton<AuthorityKeys>();
        services.AddSingleton<IdentityRecord>();
        services.AddSingleton<PasswordCheck>();
        services.AddSingleton<AccountStore>();
        services.AddSingleton<SignInPath>();
        services.AddSingleton<RevokePath>();
    }
}
