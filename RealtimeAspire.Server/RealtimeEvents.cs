using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server;

/// <summary>Events whose payloads are described by JSON Schemas.</summary>
public static class RealtimeEvents
{
    /// <summary>
    /// Registers the events of a folder, whose files are JSON Schemas (draft 07): <c>{topic type}/{event}.v{version}.json</c>. The first
    /// <c>.</c> of an event without a colon stands for one: <c>room/app.poll.v1.json</c> is <c>app:poll</c>. What <c>AddEvent</c>
    /// does with types this does with them.
    /// </summary>
    /// <param name="realtime">What <c>AddRealtime()</c> returned.</param>
    /// <param name="folder">A path, from the application's content root on.</param>
    /// <param name="fromClients">Whether clients may publish these events, also where the topic type's <c>ClientEvents</c> do not say so.</param>
    /// <exception cref="InvalidOperationException">There is no such folder, a file has another name or a word that is not known here, or an event is registered already in this version. Everything that is wrong is said, with the file.</exception>
    /// <example><code>builder.AddRealtime().AddEvents("events");</code></example>
    public static RealtimeBuilder AddEvents(this RealtimeBuilder realtime, string folder, bool fromClients = false)
    {
        ArgumentNullException.ThrowIfNull(realtime);
        ArgumentException.ThrowIfNullOrEmpty(folder);
        var problems = new List<string>();
        var rules = EventFolder.Read(Path.Combine(realtime.ContentRoot, folder), fromClients, problems);
        if (problems.Count > 0)
        {
            throw new InvalidOperationException($"The events in {folder} cannot be registered.{Environment.NewLine}{string.Join(Environment.NewLine, problems)}");
        }

        return rules.Aggregate(realtime, AddRule);
    }

    /// <summary>Registers those of <c>Realtime:Events:Folder</c>.</summary>
    internal static RealtimeBuilder AddConfiguredEvents(this RealtimeBuilder realtime, IConfiguration configuration) =>
        configuration.GetSection($"{RealtimeOptions.Section}:{nameof(RealtimeOptions.Events)}").Get<EventOptions>()?.Folder is { Length: > 0 } folder
            ? realtime.AddEvents(folder)
            : realtime;

    internal static RealtimeBuilder AddRule(this RealtimeBuilder realtime, EventRule rule)
    {
        var isThere = realtime.Services.Any(service => service.ImplementationInstance is EventRule other
            && (other.TopicType, other.Event, other.Version) == (rule.TopicType, rule.Event, rule.Version));
        if (isThere)
        {
            throw new InvalidOperationException($"{rule.Event} is registered already for topics of the type {rule.TopicType} in version {rule.Version}.");
        }

        realtime.Services.AddSingleton(rule);
        return realtime;
    }
}
