using System.ComponentModel.DataAnnotations;
using System.Net;
using System.Text;
using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Identity;
using RealtimeAspire.Server.Pipeline.Limits;
using RealtimeAspire.Server.Pipeline.Signals;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline;

/// <summary>Reports everything that is wrong with the configuration, each with its key.</summary>
internal sealed class RealtimeOptionsValidator : IValidateOptions<RealtimeOptions>
{
    private const long MaxRecoverableEvents = 1_000_000;

    public ValidateOptionsResult Validate(string? name, RealtimeOptions options)
    {
        var errors = new List<string>();
        CheckAnnotations(RealtimeOptions.Section, options, errors);
        CheckAnnotations(Key("Limits"), options.Limits, errors);
        CheckAnnotations(Key("Auth"), options.Auth, errors);
        CheckAnnotations(Key("Connections"), options.Connections, errors);
        CheckAnnotations(Key("Audit"), options.Audit, errors);
        errors.AddRange(options.Audit.Check(Key("Audit")));
        CheckSignals(options, errors);
        CheckIdentity(options.Auth, errors);
        CheckProxies(options.TrustedProxies, errors);
        CheckLimits(options, errors);
        CheckOrigins(options.AllowedOrigins, errors);
        CheckGrants(options.Grants, errors);
        foreach (var (type, policy) in options.TopicTypes)
        {
            CheckTopicType(type, policy, options, errors);
        }

        if (options.DefaultTopicType is { } fallback && fallback != TopicCatalog.Room && !options.TopicTypes.ContainsKey(fallback))
        {
            errors.Add($"{Key("DefaultTopicType")}: there is no topic type '{fallback}'; configure {Key("TopicTypes")}:{fallback}.");
        }

        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
    }

    private static void CheckAnnotations(string key, object section, List<string> errors)
    {
        var results = new List<ValidationResult>();
        Validator.TryValidateObject(section, new ValidationContext(section), results, validateAllProperties: true);
        errors.AddRange(results.Select(result => $"{key}:{string.Join(',', result.MemberNames)}: {result.ErrorMessage}"));
    }

    private static void CheckIdentity(AuthOptions auth, List<string> errors)
    {
        if (!auth.IsBuiltIn && !auth.HasAuthority)
        {
            errors.Add($"{Key("Auth")}: nobody could sign in: set Authority to an OIDC authority's address, or BuiltIn to true and SigningKey to a secret.");
        }

        var bytes = Encoding.UTF8.GetByteCount(auth.SigningKey ?? "");
        if (auth.IsBuiltIn && bytes < AuthOptions.MinKeyBytes)
        {
            errors.Add($"{Key("Auth:SigningKey")}: a key of {AuthOptions.MinKeyBytes} bytes or more is required, {(bytes == 0 ? "none is configured" : $"this one has {bytes}")}.");
        }

        var unknown = (auth.Algorithms ?? []).Where(algorithm => !AuthOptions.KnownAlgorithms.Contains(algorithm)).ToArray();
        if (unknown.Length > 0)
        {
            errors.Add($"{Key("Auth:Algorithms")}: '{unknown[0]}' is none of {string.Join(", ", AuthOptions.KnownAlgorithms)}.");
        }

        if (auth.HasAuthority && auth.IsBuiltIn && auth.Authority!.TrimEnd('/') == auth.Issuer.TrimEnd('/'))
        {
            errors.Add($"{Key("Auth:Issuer")}: is the authority's; the built-in identity needs another one.");
        }

        if (auth.LockoutMaxSeconds < auth.LockoutSeconds)
        {
            errors.Add($"{Key("Auth:LockoutMaxSeconds")}: must be at least {Key("Auth:LockoutSeconds")}.");
        }

        if (auth.RefreshMaxHours < auth.RefreshIdleHours)
        {
            errors.Add($"{Key("Auth:RefreshMaxHours")}: must be at least {Key("Auth:RefreshIdleHours")}.");
        }
    }

    private static void CheckSignals(RealtimeOptions options, List<string> errors)
    {
        CheckAnnotations(Key("Signals"), options.Signals, errors);
        errors.AddRange(options.Signals.Check(Key("Signals")));
        foreach (var (region, limits) in options.Limits.Regions)
        {
            CheckAnnotations(Key($"Limits:Regions:{region}"), limits, errors);
        }

        if (options.Signals.Act && !options.SingleNode && SignalSecret.TextOf(options) is null)
        {
            errors.Add($"{Key("Signals")}: nodes that act together need a secret in common: set {Key("Audit:Key")}, the same on every node, or leave every Action at observe.");
        }
    }

    private static void CheckProxies(string[] proxies, List<string> errors)
    {
        for (var i = 0; i < proxies.Length; i++)
        {
            if (!TrustedProxies.TryParse(proxies[i], out _))
            {
                errors.Add($"{Key("TrustedProxies")}:{i}: '{proxies[i]}' is neither an address nor a range of them, as 10.0.0.7 and 10.0.0.0/24 are.");
            }
        }
    }

    private static void CheckLimits(RealtimeOptions options, List<string> errors)
    {
        if (options.Limits.PublishBurst < options.Limits.PublishesPerSecond)
        {
            errors.Add($"{Key("Limits:PublishBurst")}: must be at least {Key("Limits:PublishesPerSecond")}.");
        }

        if (options.Limits.QueueBytes < options.Limits.PayloadBytes * 2L)
        {
            errors.Add($"{Key("Limits:QueueBytes")}: must be at least twice {Key("Limits:PayloadBytes")}.");
        }

        CheckShares(options.Limits, errors);
    }

    /// <summary>What is a part of something is no more than it.</summary>
    private static void CheckShares(LimitOptions limits, List<string> errors)
    {
        AtMost(limits.ConnectionPublishesPerSecond, "ConnectionPublishesPerSecond", limits.PublishesPerSecond, "PublishesPerSecond");
        AtMost(limits.TenantConnections is 0 ? 0 : limits.UserConnections ?? 0, "UserConnections", limits.TenantConnections, "TenantConnections");
        AtMost(limits.Connections is 0 ? 0 : limits.UserConnections ?? 0, "UserConnections", limits.Connections, "Connections");
        AtMost(limits.RequestsPerSecond ?? LimitOptions.DefaultRequestsPerSecond, "RequestsPerSecond", limits.RequestBurst, "RequestBurst");
        AtMost(limits.ConnectsPerSecond ?? LimitOptions.DefaultConnectsPerSecond, "ConnectsPerSecond", limits.ConnectBurst, "ConnectBurst");

        void AtMost(int part, string key, int whole, string of)
        {
            if (part > whole)
            {
                errors.Add($"{Key($"Limits:{key}")}: must be at most {Key($"Limits:{of}")}, which is {whole}.");
            }
        }
    }

    private static void CheckOrigins(string[] origins, List<string> errors)
    {
        for (var i = 0; i < origins.Length; i++)
        {
            var ok = Uri.TryCreate(origins[i], UriKind.Absolute, out var uri)
                && uri.Scheme is "http" or "https"
                && string.Equals(uri!.GetLeftPart(UriPartial.Authority), origins[i], StringComparison.OrdinalIgnoreCase);
            if (!ok)
            {
                errors.Add($"{Key("AllowedOrigins")}:{i}: an origin is http(s)://host[:port] without a path.");
            }
        }
    }

    private static void CheckGrants(GrantOptions[] grants, List<string> errors)
    {
        for (var i = 0; i < grants.Length; i++)
        {
            CheckAnnotations($"{Key("Grants")}:{i}", grants[i], errors);
            try
            {
                grants[i].ToGrant();
            }
            catch (FormatException exception)
            {
                errors.Add($"{Key("Grants")}:{i}: {exception.Message}");
            }
        }
    }

    private static void CheckTopicType(string type, TopicTypeOptions policy, RealtimeOptions options, List<string> errors)
    {
        var key = $"{Key("TopicTypes")}:{type}";
        CheckAnnotations(key, policy, errors);
        CheckAnnotations($"{key}:Retention", policy.Retention, errors);
        CheckDurability(key, policy, errors);
        if (!TopicName.TryParse($"{type}:x", out _))
        {
            errors.Add($"{key}: a topic type is [a-z][a-z0-9-]{{0,31}}.");
        }

        CheckPatterns($"{key}:ClientEvents", policy.ClientEvents, errors);
        CheckPatterns($"{key}:EphemeralEvents", policy.EphemeralEvents, errors);
        if (policy.PayloadBytes > options.Limits.PayloadBytes)
        {
            errors.Add($"{key}:PayloadBytes: must be at most {Key("Limits:PayloadBytes")}, which is {options.Limits.PayloadBytes}.");
        }

        if (policy.Publishers is <= Publishers.None or > (Publishers.Clients | Publishers.Servers))
        {
            errors.Add($"{key}:Publishers: must be Clients, Servers, or 'Clients, Servers'.");
        }
    }

    private static void CheckPatterns(string key, string[]? patterns, List<string> errors)
    {
        foreach (var pattern in patterns ?? [])
        {
            if (pattern != "*" && !EventCatalog.IsName(pattern.EndsWith('*') ? pattern[..^1] : pattern))
            {
                errors.Add($"{key}: '{pattern}' is no event name and no beginning of one with a last *.");
            }
        }
    }

    private static void CheckDurability(string key, TopicTypeOptions policy, List<string> errors)
    {
        var (events, age, window) = (policy.Retention.Events, policy.Retention.Age, policy.IdempotencyWindow);
        switch (policy.Durability)
        {
            case Durability.Recoverable:
                CheckRange($"{key}:Retention:Age", age, TimeSpan.FromSeconds(10), TimeSpan.FromDays(7), errors);
                CheckRange($"{key}:IdempotencyWindow", window, TimeSpan.FromSeconds(1), TimeSpan.FromHours(1), errors);
                if (events > MaxRecoverableEvents)
                {
                    errors.Add($"{key}:Retention:Events: a recoverable topic keeps at most {MaxRecoverableEvents} events.");
                }

                break;
            case Durability.Durable:
                CheckRange($"{key}:Retention:Age", age, TimeSpan.FromHours(1), TimeSpan.FromDays(3_650), errors);
                CheckRange($"{key}:IdempotencyWindow", window, TimeSpan.FromSeconds(1), TimeSpan.FromDays(7), errors);
                break;
            case Durability.Ephemeral when events is not null || age is not null || window is not null:
                errors.Add($"{key}: an ephemeral topic keeps nothing: remove Retention and IdempotencyWindow.");
                break;
            default:
                break;
        }
    }

    private static void CheckRange(string key, TimeSpan? value, TimeSpan min, TimeSpan max, List<string> errors)
    {
        if (value < min || value > max)
        {
            errors.Add($"{key}: must be between {min:c} and {max:c}.");
        }
    }

    private static string Key(string name) => $"{RealtimeOptions.Section}:{name}";
}
