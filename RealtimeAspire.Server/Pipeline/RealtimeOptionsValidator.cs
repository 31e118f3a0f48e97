using System.ComponentModel.DataAnnotations;
using System.Text;
using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline;

/// <summary>Reports everything that is wrong with the configuration, each with its key.</summary>
internal sealed class RealtimeOptionsValidator : IValidateOptions<RealtimeOptions>
{
    public ValidateOptionsResult Validate(string? name, RealtimeOptions options)
    {
        var errors = new List<string>();
        CheckAnnotations(RealtimeOptions.Section, options, errors);
        CheckAnnotations(Key("Limits"), options.Limits, errors);
        CheckAnnotations(Key("Auth"), options.Auth, errors);
        CheckSigningKey(options.Auth, errors);
        CheckLimits(options, errors);
        CheckOrigins(options.AllowedOrigins, errors);
        foreach (var (type, policy) in options.TopicTypes)
        {
            CheckTopicType(type, policy, errors);
        }

        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
    }

    private static void CheckAnnotations(string key, object section, List<string> errors)
    {
        var results = new List<ValidationResult>();
        Validator.TryValidateObject(section, new ValidationContext(section), results, validateAllProperties: true);
        errors.AddRange(results.Select(result => $"{key}:{string.Join(',', result.MemberNames)}: {result.ErrorMessage}"));
    }

    private static void CheckSigningKey(AuthOptions auth, List<string> errors)
    {
        var bytes = Encoding.UTF8.GetByteCount(auth.SigningKey ?? "");
        if (bytes < AuthOptions.MinKeyBytes)
        {
            errors.Add($"{Key("Auth:SigningKey")}: a key of {AuthOptions.MinKeyBytes} bytes or more is required, {(bytes == 0 ? "none is configured" : $"this one has {bytes}")}.");
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

    private static void CheckTopicType(string type, TopicTypeOptions policy, List<string> errors)
    {
        var key = $"{Key("TopicTypes")}:{type}";
        CheckAnnotations(key, policy, errors);
        if (!TopicName.TryParse($"{type}:x", out _))
        {
            errors.Add($"{key}: a topic type is [a-z][a-z0-9-]{{0,31}}.");
        }

        foreach (var pattern in policy.ClientEvents ?? [])
        {
            if (pattern != "*" && !EventCatalog.IsName(pattern.EndsWith('*') ? pattern[..^1] : pattern))
            {
                errors.Add($"{key}:ClientEvents: '{pattern}' is no event name and no beginning of one with a last *.");
            }
        }
    }

    private static string Key(string name) => $"{RealtimeOptions.Section}:{name}";
}
