using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Http;

/// <summary>
/// <c>/asyncapi/v3.json</c>: made from the topic types of this server and the events that were registered for them. A channel is a
/// type, a message an event as subscribers receive it, and its payload's schema is the one that publishes are checked by.
/// </summary>
internal sealed class EventDocument(TopicCatalog topics, EventCatalog events)
{
    private const string Envelope = "TopicEvent";
    private const string Schemas = "#/components/schemas";

    private readonly Lazy<byte[]> _json = new(() => Encoding.UTF8.GetBytes(Describe(topics, events).ToJsonString()));

    public static FileContentHttpResult Get(EventDocument document) => TypedResults.Bytes(document._json.Value, "application/json");

    private static JsonObject Describe(TopicCatalog topics, EventCatalog events)
    {
        var schemas = new JsonObject { [Envelope] = PayloadSchema.Of(RealtimeJson.Default.TopicEvent).Json.DeepClone() };
        var channels = new JsonObject();
        var operations = new JsonObject();
        foreach (var policy in topics.Policies.OrderBy(policy => policy.Type, StringComparer.Ordinal))
        {
            var messages = events.Rules.Where(rule => rule.TopicType == policy.Type).ToList();
            channels[policy.Type] = new JsonObject
            {
                ["address"] = $"{policy.Type}:{{identifier}}",
                ["parameters"] = new JsonObject { ["identifier"] = new JsonObject { ["description"] = "1 to 128 of `[A-Za-z0-9._~@|+=-]`." } },
                ["messages"] = new JsonObject(messages.Select(rule => KeyValuePair.Create(KeyOf(rule), (JsonNode?)ToMessage(rule, AddTo(schemas, rule.Payload), rule.FromClients || policy.ClientsMayPublish(rule.Event))))),
            };
            operations[policy.Type] = new JsonObject
            {
                ["action"] = "send",
                ["channel"] = new JsonObject { ["$ref"] = $"#/channels/{policy.Type}" },
                ["summary"] = "What subscribers receive.",
                ["messages"] = new JsonArray([.. messages.Select(rule => new JsonObject { ["$ref"] = $"#/channels/{policy.Type}/messages/{KeyOf(rule)}" })]),
            };
        }

        return new JsonObject
        {
            ["asyncapi"] = "3.0.0",
            ["info"] = new JsonObject
            {
                ["title"] = "RealtimeAspire",
                ["version"] = "v1",
                ["description"] = "The events that are registered, by topic type. Topics carry others too, with any payload. docs/protocol.md has the rules, /openapi/v1.json the HTTP API.",
            },
            ["defaultContentType"] = "application/json",
            ["channels"] = channels,
            ["operations"] = operations,
            ["components"] = new JsonObject { ["schemas"] = schemas },
        };
    }

    /// <summary>The event's name; one in a later version has that behind it, and no event's name has this sign.</summary>
    private static string KeyOf(EventRule rule) => rule.Version == 1 ? rule.Event : string.Create(CultureInfo.InvariantCulture, $"{rule.Event}@{rule.Version}");

    private static JsonObject ToMessage(EventRule rule, string schema, bool fromClients) => new()
    {
        ["name"] = rule.Event,
        ["payload"] = new JsonObject
        {
            ["type"] = "object",
            ["allOf"] = new JsonArray(new JsonObject { ["$ref"] = $"{Schemas}/{Envelope}" }),
            ["properties"] = new JsonObject
            {
                ["event"] = new JsonObject { ["const"] = rule.Event },
                ["v"] = new JsonObject { ["const"] = rule.Version },
                ["data"] = new JsonObject
                {
                    ["type"] = "object",
                    ["properties"] = new JsonObject { ["payload"] = new JsonObject { ["$ref"] = $"{Schemas}/{schema}" } },
                },
            },
        },
        // Who may publish it is this server's word, not AsyncAPI's.
        ["x-from-clients"] = fromClients,
    };

    /// <returns>Its name there. Two types of one name are told apart by a number.</returns>
    private static string AddTo(JsonObject schemas, PayloadSchema payload)
    {
        for (var number = 1; ; number++)
        {
            var name = number == 1 ? payload.Name : $"{payload.Name}{number}";
            var schema = Move(payload.Json.DeepClone(), $"{Schemas}/{name}");
            if (!schemas.TryAdd(name, schema, out _) && !JsonNode.DeepEquals(schemas[name], schema))
            {
                continue;
            }

            return name;
        }
    }

    /// <summary>A schema refers to itself from its root; in the document that is elsewhere.</summary>
    private static JsonNode Move(JsonNode schema, string root)
    {
        if (schema is JsonObject { Count: 1 } reference && (string?)reference["$ref"] is { } target)
        {
            reference["$ref"] = root + target[1..];
            return schema;
        }

        IEnumerable<JsonNode?> parts = schema switch
        {
            JsonObject words => words.Select(word => word.Value),
            JsonArray items => items,
            _ => [],
        };
        foreach (var part in parts.OfType<JsonNode>())
        {
            Move(part, root);
        }

        return schema;
    }
}
