using System.ComponentModel.DataAnnotations;
using System.Text;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Identity;

namespace RealtimeAspire.Server.Pipeline.Hooks;

/// <summary>What is wrong with <c>Realtime:Hooks</c>.</summary>
internal sealed class HookRequirements(IHostEnvironment environment) : IValidateOptions<RealtimeOptions>
{
    private const string Section = $"{RealtimeOptions.Section}:{nameof(RealtimeOptions.Hooks)}";

    public ValidateOptionsResult Validate(string? name, RealtimeOptions options)
    {
        var errors = new List<string>();
        var hooks = options.Hooks;
        foreach (var (point, settings) in hooks.Points)
        {
            Check($"{Section}:{point}", settings, errors);
        }

        if (hooks.Connect.Topics is not null)
        {
            errors.Add($"{Section}:Connect:Topics: somebody who comes in has named no topic yet; remove it.");
        }

        if (hooks.Connect.Events is not null || hooks.Subscribe.Events is not null)
        {
            errors.Add($"{Section}: Events are for Publish only.");
        }

        if (hooks.Publish.CacheSeconds > 0)
        {
            errors.Add($"{Section}:Publish:CacheSeconds: each event is asked for by itself; remove it.");
        }

        var isAsked = hooks.Points.Any(point => !string.IsNullOrEmpty(point.Options.Url));
        CheckSecret($"{Section}:Secret", isAsked ? hooks.Secret : null, errors);
        CheckSecret($"{Section}:OtherSecret", hooks.OtherSecret, errors);
        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
    }

    private static void CheckSecret(string key, string? secret, List<string> errors)
    {
        if (secret is not null && Encoding.UTF8.GetByteCount(secret) is var bytes and < HookOptions.MinSecretBytes)
        {
            errors.Add($"{key}: a key of {HookOptions.MinSecretBytes} bytes or more is required, {(bytes == 0 ? "none is configured" : $"this one has {bytes}")}.");
        }
    }

    private void Check(string key, HookPointOptions settings, List<string> errors)
    {
        var results = new List<ValidationResult>();
        Validator.TryValidateObject(settings, new ValidationContext(settings), results, validateAllProperties: true);
        errors.AddRange(results.Select(result => $"{key}:{string.Join(',', result.MemberNames)}: {result.ErrorMessage}"));
        if (!string.IsNullOrEmpty(settings.Url) && !(Uri.TryCreate(settings.Url, UriKind.Absolute, out var address) && AuthorityKeys.IsSafe(address, environment.IsDevelopment())))
        {
            errors.Add($"{key}:Url: must be an https address; http only in development, on this machine.");
        }

        foreach (var topics in settings.Topics ?? [])
        {
            Try($"{key}:Topics", () => TopicPattern.Parse(topics), errors);
        }

        foreach (var events in settings.Events ?? [])
        {
            Try($"{key}:Events", () => Grant.RequireEvents(events), errors);
        }
    }

    private static void Try(string key, Action parse, List<string> errors)
    {
        try
        {
            parse();
        }
        catch (FormatException exception)
        {
            errors.Add($"{key}: {exception.Message}");
        }
    }
}
