using Microsoft.Extensions.Options;

namespace RealtimeAspire.Server.Pipeline.Topics;

/// <summary>A schema in a folder whose name is no topic type would check nothing, and nobody would know.</summary>
internal sealed class EventFolderValidator(IEnumerable<EventRule> rules) : IValidateOptions<RealtimeOptions>
{
    public ValidateOptionsResult Validate(string? name, RealtimeOptions options)
    {
        var errors = rules
            .Where(rule => rule.File is not null && rule.TopicType != TopicCatalog.Room && !options.TopicTypes.ContainsKey(rule.TopicType))
            .Select(rule => $"{rule.File}: there is no topic type '{rule.TopicType}'; configure {RealtimeOptions.Section}:TopicTypes:{rule.TopicType}.")
            .ToList();
        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
    }
}
