using System.Text.Json;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.Authorization;

/// <summary>Something that may be done with some topics.</summary>
/// <param name="Topics">Which.</param>
/// <param name="Operations">What.</param>
/// <param name="Events">For publishing, the event names: whole, or beginnings with a last <c>*</c>. Null: what the topic's type lets clients publish.</param>
internal sealed record Grant(TopicPattern Topics, Operations Operations, IReadOnlyList<string>? Events = null)
{
    private const int MaxEvents = 100;

    /// <summary>Reads <c>{ "topic": "room:*", "operations": ["subscribe"], "events": ["app:*"] }</c>.</summary>
    /// <param name="json">Untrusted in its form: who signed it may have made a mistake, and then grants nothing.</param>
    /// <exception cref="FormatException">It is no grant; the message says why.</exception>
    public static Grant Read(JsonElement json)
    {
        if (json.ValueKind is not JsonValueKind.Object)
        {
            throw new FormatException("A grant is an object with topic, operations and, for publish, events.");
        }

        TopicPattern? topics = null;
        Operations? operations = null;
        IReadOnlyList<string>? events = null;
        foreach (var member in json.EnumerateObject())
        {
            switch (member.Name)
            {
                case "topic":
                    topics = TopicPattern.Parse(TextOf(member.Value));
                    break;
                case "operations":
                    operations = ElementsOf(member.Value).Aggregate(Operations.None, static (all, one) => all | OperationOf(TextOf(one)));
                    break;
                case "events":
                    events = [.. ElementsOf(member.Value).Select(TextOf).Select(RequireEvents)];
                    break;
                default:
                    // What a grant says and is not understood may narrow it.
                    throw new FormatException($"A grant has no member '{member.Name}'.");
            }
        }

        return topics is null || operations is null or Operations.None || events?.Count > MaxEvents
            ? throw new FormatException($"A grant has a topic, operations, and at most {MaxEvents} events.")
            : new Grant(topics, operations.Value, events);
    }

    /// <exception cref="FormatException">There is no such operation.</exception>
    public static Operations OperationOf(string name) => name switch
    {
        "subscribe" => Operations.Subscribe,
        "publish" => Operations.Publish,
        "presence" => Operations.Presence,
        "history" => Operations.History,
        "call" => Operations.Call,
        "manage" => Operations.Manage,
        "*" => Operations.All,
        _ => throw new FormatException($"'{name}' is no operation: subscribe, publish, presence, history, call, manage, or * for all."),
    };

    /// <exception cref="FormatException">No event has such a name.</exception>
    public static string RequireEvents(string pattern) => pattern == "*" || EventCatalog.IsName(pattern.EndsWith('*') ? pattern[..^1] : pattern)
        ? pattern
        : throw new FormatException($"'{pattern}' is no event name and no beginning of one with a last *.");

    private static string TextOf(JsonElement json) =>
        json.ValueKind is JsonValueKind.String ? json.GetString()! : throw new FormatException("A grant consists of strings.");

    private static JsonElement.ArrayEnumerator ElementsOf(JsonElement json) =>
        json.ValueKind is JsonValueKind.Array ? json.EnumerateArray() : throw new FormatException("Operations and events of a grant are arrays.");
}

/// <summary>What somebody may do. Immutable.</summary>
internal sealed class Grants(IReadOnlyList<Grant> all)
{
    private const int Max = 100;

    public IReadOnlyList<Grant> All => all;

    /// <param name="json">An array of grants; see <see cref="Grant.Read"/>.</param>
    /// <exception cref="FormatException">It is none; the message says why.</exception>
    public static Grants Read(JsonElement json) =>
        json.ValueKind is JsonValueKind.Array && json.GetArrayLength() <= Max
            ? new Grants([.. json.EnumerateArray().Select(Grant.Read)])
            : throw new FormatException($"Grants are an array of at most {Max}.");

    /// <param name="subject">Whose they are.</param>
    /// <param name="topic">The topic.</param>
    /// <param name="operation">One of them.</param>
    /// <param name="byName">Only those count that name the topic itself, not a group of topics.</param>
    public bool Allow(string subject, TopicName topic, Operations operation, bool byName = false)
    {
        foreach (var grant in all)
        {
            if ((grant.Operations & operation) != Operations.None && (!byName || grant.Topics.IsOneTopic) && grant.Topics.Matches(topic, subject))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Whether an event may be published: true and false where a grant names events, null where the topic's type decides.</summary>
    /// <param name="subject">Whose they are.</param>
    /// <param name="topic">The topic.</param>
    /// <param name="eventName">The event's name.</param>
    /// <param name="byName">Only those count that name the topic itself, not a group of topics.</param>
    public bool? AllowEvent(string subject, TopicName topic, string eventName, bool byName = false)
    {
        bool? allowed = false;
        foreach (var grant in all)
        {
            if ((grant.Operations & Operations.Publish) == Operations.None || (byName && !grant.Topics.IsOneTopic) || !grant.Topics.Matches(topic, subject))
            {
                continue;
            }

            if (grant.Events is null)
            {
                allowed = null;
            }
            else if (EventPattern.Matches(grant.Events, eventName))
            {
                return true;
            }
        }

        return allowed;
    }
}
