using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace RealtimeAspire.Server.Pipeline.Identity;

/// <summary>What holds of the configuration only here, or only elsewhere.</summary>
internal sealed class IdentityRequirements(IHostEnvironment environment, IConfiguration configuration) : IValidateOptions<RealtimeOptions>
{
    private const string TrustsEveryProxy = "ForwardedHeaders_Enabled";

    public ValidateOptionsResult Validate(string? name, RealtimeOptions options)
    {
        var errors = new List<string>();
        if (options.Auth is { HasAuthority: true } auth && !(Uri.TryCreate(auth.Authority, UriKind.Absolute, out var address) && AuthorityKeys.IsSafe(address, environment.IsDevelopment())))
        {
            errors.Add($"{RealtimeOptions.Section}:Auth:Authority: must be an https address; http only in development, on this machine.");
        }

        if (!environment.IsDevelopment() && string.Equals(configuration[TrustsEveryProxy], "true", StringComparison.OrdinalIgnoreCase))
        {
            errors.Add($"{TrustsEveryProxy}: would take every caller's word for being a proxy; name the proxies in {RealtimeOptions.Section}:TrustedProxies instead.");
        }

        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
    }
}
