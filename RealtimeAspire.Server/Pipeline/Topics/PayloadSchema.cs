using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Schema;
using System.Text.Json.Serialization.Metadata;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Pipeline.Topics;

/// <summary>The form of a payload: a .NET type as a JSON Schema, and the check that is made from that schema.</summary>
internal sealed class PayloadSchema
{
    private readonly PayloadCheck _check;

    private PayloadSchema(string name, JsonNode json)
    {
        (Name, Json) = (name, json);
        _check = SchemaReader.Read(json);
    }

    /// <summary>The type's name, in letters and digits.</summary>
    public string Name { get; }

    /// <summary>The schema (draft 07), with references to itself only.</summary>
    public JsonNode Json { get; }

    /// <summary>Makes it from a type's members, and from the bounds and descriptions that they have as attributes.</summary>
    /// <exception cref="NotSupportedException">An attribute of the type bounds its members in a way that the schema could not say.</exception>
    public static PayloadSchema Of(JsonTypeInfo type)
    {
        var json = type.GetJsonSchemaAsNode(new JsonSchemaExporterOptions { TreatNullObliviousAsNonNullable = true, TransformSchemaNode = Describe });
        // Parsed, its numbers are of one kind, whoever wrote them.
        return new PayloadSchema(NameOf(type.Type), JsonNode.Parse(json.ToJsonString())!);
    }

    /// <summary>Takes one that was written by hand.</summary>
    /// <param name="name">In letters and digits.</param>
    /// <param name="json">The schema.</param>
    /// <exception cref="NotSupportedException">It has a word that is not known here, or one that is not used as it should be.</exception>
    public static PayloadSchema Of(string name, JsonNode json)
    {
        var schema = new PayloadSchema(name, json);
        // Of what is inside a document only the root may say it.
        (json as JsonObject)?.Remove("$schema");
        return schema;
    }

    /// <summary>What is wrong with an untrusted payload; null when nothing is.</summary>
    public string? Refuse(JsonElement payload) => _check.Refuse(payload);

    private static string NameOf(Type type)
    {
        var name = type.IsArray ? $"{NameOf(type.GetElementType()!)}Array" : type.Name.Split('`')[0];
        return string.Concat(type.GetGenericArguments().Select(NameOf).Prepend(name));
    }

    private static JsonNode Describe(JsonSchemaExporterContext context, JsonNode node)
    {
        if (context.TypeInfo.Converter is TimestampConverter)
        {
            node = new JsonObject { ["type"] = "string", ["format"] = "date-time" };
        }

        // True: anything. A reference has no members beside it.
        if (node is not JsonObject schema || schema.ContainsKey("$ref"))
        {
            return node;
        }

        ToPlain(schema);
        var attributes = AttributesOf(context.PropertyInfo);
        foreach (var bound in attributes.OfType<ValidationAttribute>())
        {
            Bound(schema, bound, context);
        }

        var description = attributes.OfType<DescriptionAttribute>().FirstOrDefault() ?? context.TypeInfo.Type.GetCustomAttribute<DescriptionAttribute>();
        if (description is not null)
        {
            schema.Insert(0, "description", description.Description);
        }

        return schema;
    }

    /// <summary>Readers of JSON may take a number in quotes; a payload has it plain. Patterns do not mean the same in every language.</summary>
    private static void ToPlain(JsonObject schema)
    {
        schema.Remove("$comment");
        if (schema.Remove("pattern") && schema["type"] is JsonArray types && types.Any(type => (string?)type is "integer" or "number"))
        {
            types.RemoveAll(type => (string?)type == "string");
            if (types.Count == 1)
            {
                schema["type"] = types[0]!.DeepClone();
            }
        }
    }

    private static List<Attribute> AttributesOf(JsonPropertyInfo? property) =>
    [
        .. property?.AttributeProvider?.GetCustomAttributes(inherit: true).OfType<Attribute>() ?? [],
        .. property?.AssociatedParameter?.AttributeProvider?.GetCustomAttributes(inherit: true).OfType<Attribute>() ?? [],
    ];

    private static void Bound(JsonObject schema, ValidationAttribute bound, JsonSchemaExporterContext context)
    {
        var isText = Has(schema, "string");
        switch (bound)
        {
            case StringLengthAttribute length when isText:
                BoundLength(schema, "Length", length.MinimumLength, length.MaximumLength);
                break;
            case LengthAttribute length when isText || Has(schema, "array"):
                BoundLength(schema, isText ? "Length" : "Items", length.MinimumLength, length.MaximumLength);
                break;
            case MinLengthAttribute length when isText || Has(schema, "array"):
                BoundLength(schema, isText ? "Length" : "Items", length.Length, most: null);
                break;
            case MaxLengthAttribute { Length: > 0 } length when isText || Has(schema, "array"):
                BoundLength(schema, isText ? "Length" : "Items", least: 0, length.Length);
                break;
            case RangeAttribute range when Has(schema, "integer") || Has(schema, "number"):
                schema[range.MinimumIsExclusive ? "exclusiveMinimum" : "minimum"] = ToNumber(range.Minimum);
                schema[range.MaximumIsExclusive ? "exclusiveMaximum" : "maximum"] = ToNumber(range.Maximum);
                break;
            default:
                throw new NotSupportedException(
                    $"{bound.GetType().Name} on {context.PropertyInfo?.DeclaringType.Name}.{context.PropertyInfo?.Name} is nothing that a payload's schema can say. Strings and arrays have StringLength, Length, MinLength and MaxLength, numbers have Range; what must be there is required.");
        }
    }

    private static void BoundLength(JsonObject schema, string what, int least, int? most)
    {
        if (least > 0)
        {
            schema[$"min{what}"] = least;
        }

        if (most is { } count)
        {
            schema[$"max{what}"] = count;
        }
    }

    private static bool Has(JsonObject schema, string type) => schema["type"] switch
    {
        JsonArray types => types.Any(one => (string?)one == type),
        var only => (string?)only == type,
    };

    private static JsonValue ToNumber(object limit) => limit is int whole
        ? JsonValue.Create(whole)
        : JsonValue.Create(Convert.ToDouble(limit, CultureInfo.InvariantCulture));
}
