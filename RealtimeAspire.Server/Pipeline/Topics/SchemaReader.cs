using System.Text.Json;
using System.Text.Json.Nodes;

namespace RealtimeAspire.Server.Pipeline.Topics;

/// <summary>
/// Makes the check of a schema, JSON Schema's draft 07. It knows what <see cref="PayloadSchema"/> emits and what is usual by hand, and
/// refuses any other word, so that none goes unchecked.
/// </summary>
internal sealed class SchemaReader
{
    private const string Draft = "http://json-schema.org/draft-07/schema";
    private const int MaxDepth = 64;

    // Definitions that refer to definitions grow by themselves.
    private const int MaxChecks = 10_000;

    private readonly JsonNode _root;
    // Those that are being read: what they hold may refer to them.
    private readonly Dictionary<JsonNode, PayloadCheck> _open = new(ReferenceEqualityComparer.Instance);
    private int _depth;
    private int _checks;

    private SchemaReader(JsonNode root) => _root = root;

    /// <exception cref="NotSupportedException">The schema has a word that is not known here, or one that is not used as it should be.</exception>
    public static PayloadCheck Read(JsonNode schema) => new SchemaReader(schema).Read(schema, path: "", at: "#");

    /// <summary>What a reference stands for; null where there is nothing.</summary>
    public static JsonNode? Resolve(JsonNode root, string reference)
    {
        if (reference is not ['#', ..])
        {
            return null;
        }

        var found = root;
        foreach (var step in reference[1..].Split('/').Skip(1))
        {
            var name = Uri.UnescapeDataString(step).Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);
            found = found switch
            {
                JsonObject members => members[name],
                JsonArray items when int.TryParse(name, out var index) && index >= 0 && index < items.Count => items[index],
                _ => null,
            };
        }

        return found;
    }

    /// <param name="schema">A schema, or part of one.</param>
    /// <param name="path">Where its value is in a payload.</param>
    /// <param name="at">Where it is itself.</param>
    private PayloadCheck Read(JsonNode? schema, string path, string at)
    {
        if (++_checks > MaxChecks || _depth > MaxDepth)
        {
            throw new NotSupportedException($"The schema is larger than {MaxChecks} places, or nested deeper than {MaxDepth} levels.");
        }

        if (schema is JsonObject reference && reference["$ref"] is { } target)
        {
            return reference.Count == 1 ? Follow(Text(target, at, "$ref"), path, at) : throw new NotSupportedException($"{at} has “$ref” beside other words, which do not count then.");
        }

        var check = new PayloadCheck(path);
        switch (schema)
        {
            case JsonObject words:
                _open.Add(words, check);
                _depth++;
                foreach (var (word, says) in words)
                {
                    Learn(check, word, says, path, at);
                }

                _depth--;
                _open.Remove(words);
                break;
            case JsonValue value when value.GetValueKind() is JsonValueKind.True:
                break;
            case JsonValue value when value.GetValueKind() is JsonValueKind.False:
                check.Kinds = JsonKinds.None;
                break;
            default:
                throw new NotSupportedException($"{at} is no schema.");
        }

        return check;
    }

    private PayloadCheck Follow(string reference, string path, string at)
    {
        var target = Resolve(_root, reference) ?? throw new NotSupportedException($"{at} refers to {reference}, which is not there.");
        if (_open.TryGetValue(target, out var known))
        {
            return known;
        }

        _depth++;
        var check = Read(target, path, reference);
        _depth--;
        return check;
    }

    private void Learn(PayloadCheck check, string word, JsonNode? says, string path, string at)
    {
        switch (word)
        {
            case "const":
                AllowOnly(check, [ToElement(says)]);
                break;
            case "$comment" or "title" or "description" or "default" or "examples" or "format":
                break;
            case var _ when says is null:
                throw Wrong(at, word);
            case "type":
                check.Kinds &= says is JsonArray kinds ? kinds.Aggregate(JsonKinds.None, (all, kind) => all | Kind(kind, at)) : Kind(says, at);
                break;
            case "properties":
                foreach (var (name, schema) in Members(says, at, word))
                {
                    check.MemberOf(name).Check = Read(schema, PayloadCheck.PathOf(path, name), $"{at}/properties/{Escape(name)}");
                }

                break;
            case "required":
                foreach (var name in Items(says, at, word))
                {
                    check.MemberOf(Text(name, at, word)).IsRequired = true;
                }

                break;
            case "additionalProperties" when says.GetValueKind() is JsonValueKind.False:
                check.IsClosed = true;
                break;
            case "additionalProperties":
                check.Others = Read(says, $"{path}{{}}", $"{at}/additionalProperties");
                break;
            case "items":
                check.Items = Read(says, $"{path}[]", $"{at}/items");
                break;
            case "enum":
                AllowOnly(check, [.. Items(says, at, word).Select(ToElement)]);
                break;
            case "anyOf":
                check.Forms = [.. Items(says, at, word).Select((form, i) => Read(form, path, $"{at}/anyOf/{i}"))];
                break;
            case "minLength" or "maxLength":
                check.Length = check.Length.With(word, Number(says, at, word));
                break;
            case "minItems" or "maxItems":
                check.Count = check.Count.With(word, Number(says, at, word));
                break;
            case "minimum" or "maximum" or "exclusiveMinimum" or "exclusiveMaximum":
                check.Number = check.Number.With(word, Number(says, at, word));
                break;
            case "definitions":
                foreach (var (name, schema) in Members(says, at, word))
                {
                    // What nobody refers to has to be right too.
                    Read(schema, path, $"{at}/definitions/{Escape(name)}");
                }

                break;
            case "$schema" when Text(says, at, word).TrimEnd('#') != Draft:
                throw new NotSupportedException($"{at} is of another draft than {Draft}#.");
            case "$schema":
                break;
            default:
                throw new NotSupportedException($"{at} says “{word}”, which is not known here.");
        }
    }

    private static void AllowOnly(PayloadCheck check, JsonElement[] constants) =>
        check.Constants = check.Constants is { } others ? [.. constants.Where(constant => others.Any(other => JsonElement.DeepEquals(constant, other)))] : constants;

    private static JsonKinds Kind(JsonNode? name, string at) =>
        JsonKind.Find(Text(name, at, "type")) is var kind and not JsonKinds.None ? kind : throw Wrong(at, "type");

    private static string Text(JsonNode? says, string at, string word) =>
        says is JsonValue value && value.TryGetValue<string>(out var text) ? text : throw Wrong(at, word);

    private static double Number(JsonNode says, string at, string word)
    {
        var number = says is JsonValue value && value.GetValueKind() is JsonValueKind.Number ? value.GetValue<double>() : throw Wrong(at, word);
        var isCount = word.EndsWith("Length", StringComparison.Ordinal) || word.EndsWith("Items", StringComparison.Ordinal);
        return isCount && (number < 0 || !double.IsInteger(number)) ? throw Wrong(at, word) : number;
    }

    private static JsonObject Members(JsonNode says, string at, string word) => says as JsonObject ?? throw Wrong(at, word);

    private static JsonArray Items(JsonNode says, string at, string word) => says as JsonArray ?? throw Wrong(at, word);

    private static NotSupportedException Wrong(string at, string word) => new($"{at} does not use “{word}” as it is meant.");

    private static string Escape(string name) => name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);

    private static JsonElement ToElement(JsonNode? constant) => JsonSerializer.SerializeToElement(constant);
}
