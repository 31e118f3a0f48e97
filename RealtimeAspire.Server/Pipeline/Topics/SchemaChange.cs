using System.Text.Json.Nodes;

namespace RealtimeAspire.Server.Pipeline.Topics;

/// <summary>
/// Whether a schema only adds to an earlier one: members that may be missing, constants, forms, wider bounds. Anything else breaks who
/// publishes by the earlier one, or who reads by it.
/// </summary>
internal static class SchemaChange
{
    private static readonly JsonObject Anything = [];

    /// <summary>A sentence for each change that does more than add; none where there is none.</summary>
    /// <param name="before">A schema that <see cref="SchemaReader"/> takes.</param>
    /// <param name="now">Another one.</param>
    public static IReadOnlyList<string> Between(JsonNode before, JsonNode now) => new Comparison(before, now, []).Find();

    private sealed class Comparison(JsonNode rootBefore, JsonNode rootNow, HashSet<(JsonNode Before, JsonNode Now)> compared)
    {
        public List<string> Find() => [.. Compare(rootBefore, rootNow, "")];

        private List<string> Compare(JsonNode? before, JsonNode? now, string path)
        {
            var (old, changed) = (Resolve(rootBefore, before), Resolve(rootNow, now));
            var here = path.Length == 0 ? "The payload" : path;
            // Nothing could be there; or what is being compared already, in a schema that refers to itself.
            if (old is null || (changed is not null && !ReferenceEquals(old, Anything) && !ReferenceEquals(changed, Anything) && !compared.Add((old, changed))))
            {
                return [];
            }

            if (changed is null)
            {
                return [$"{here} is not allowed any more."];
            }

            return
            [
                .. KindsOf(old, changed, here),
                .. ConstantsOf(old, changed, here),
                .. BoundsOf(old, changed, here),
                .. MembersOf(old, changed, path, here),
                .. ItemsOf(old, changed, path),
                .. FormsOf(old, changed, path, here),
            ];
        }

        private static IEnumerable<string> KindsOf(JsonObject old, JsonObject changed, string here)
        {
            var (before, now) = (KindsOf(old), KindsOf(changed));
            return before == now ? [] : [$"{here} was {JsonKind.NamesOf(Plain(before))} and is now {JsonKind.NamesOf(Plain(now))}."];
        }

        private static JsonKinds KindsOf(JsonObject schema)
        {
            var kinds = schema["type"] switch
            {
                null => JsonKinds.Any,
                JsonArray names => names.Aggregate(JsonKinds.None, (all, name) => all | JsonKind.Find((string?)name)),
                var name => JsonKind.Find((string?)name),
            };
            // Each integer is a number.
            return kinds.HasFlag(JsonKinds.Number) ? kinds | JsonKinds.Integer : kinds;
        }

        private static JsonKinds Plain(JsonKinds kinds) => kinds != JsonKinds.Any && kinds.HasFlag(JsonKinds.Number) ? kinds & ~JsonKinds.Integer : kinds;

        private static IEnumerable<string> ConstantsOf(JsonObject old, JsonObject changed, string here)
        {
            if (ConstantsOf(changed) is not { } now)
            {
                return [];
            }

            if (ConstantsOf(old) is not { } before)
            {
                return [$"{here} has to be one of {string.Join(", ", now.Select(Text))} now."];
            }

            return before.Where(constant => !now.Exists(other => JsonNode.DeepEquals(constant, other))).Select(constant => $"{here} cannot be {Text(constant)} any more.");
        }

        private static List<JsonNode?>? ConstantsOf(JsonObject schema) => schema["enum"] is JsonArray constants
            ? schema.ContainsKey("const") ? [.. constants.Where(constant => JsonNode.DeepEquals(constant, schema["const"]))] : [.. constants]
            : schema.ContainsKey("const") ? [schema["const"]] : null;

        private static string Text(JsonNode? constant) => constant?.ToJsonString() ?? "null";

        private static IEnumerable<string> BoundsOf(JsonObject old, JsonObject changed, string here)
        {
            (string[] Words, string Verb, string Of)[] all =
            [
                (["minLength", "maxLength"], "has", " characters"),
                (["minItems", "maxItems"], "has", " items"),
                (["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"], "is", ""),
            ];
            foreach (var (words, verb, of) in all)
            {
                var (before, now) = (SchemaBounds.Of(old, words), SchemaBounds.Of(changed, words));
                if (!now.Hold(before))
                {
                    yield return $"{here} {verb} {now}{of} now{(before == SchemaBounds.None ? "" : $", and was {before}")}.";
                }
            }
        }

        private IEnumerable<string> MembersOf(JsonObject old, JsonObject changed, string path, string here)
        {
            var (before, now) = (NamesOf(old), NamesOf(changed));
            var found = now.Except(before).Select(name => $"{PayloadCheck.PathOf(path, name)} is required now.")
                .Concat(before.Except(now).Select(name => $"{PayloadCheck.PathOf(path, name)} may be missing now."));
            foreach (var (name, schema) in old["properties"] as JsonObject ?? Anything)
            {
                found = changed["properties"] is JsonObject members && members.TryGetPropertyValue(name, out var other)
                    ? found.Concat(Compare(schema, other, PayloadCheck.PathOf(path, name)))
                    : found.Append($"{PayloadCheck.PathOf(path, name)} is gone.");
            }

            return found.Concat(OthersOf(old["additionalProperties"], changed["additionalProperties"], path, here));
        }

        private static HashSet<string> NamesOf(JsonObject schema) => [.. (schema["required"] as JsonArray ?? []).Select(name => (string)name!)];

        private List<string> OthersOf(JsonNode? before, JsonNode? now, string path, string here)
        {
            if (before is JsonValue && !(bool)before)
            {
                return [];
            }

            return now is JsonValue && !(bool)now
                ? [$"{here} takes no other members any more."]
                : before is null && now is null ? [] : Compare(before, now, $"{path}{{}}");
        }

        private List<string> ItemsOf(JsonObject old, JsonObject changed, string path) =>
            old["items"] is null && changed["items"] is null ? [] : Compare(old["items"], changed["items"], $"{path}[]");

        /// <summary>Each form that there was has its like among those that there are.</summary>
        private IEnumerable<string> FormsOf(JsonObject old, JsonObject changed, string path, string here)
        {
            if (changed["anyOf"] is not JsonArray now)
            {
                return [];
            }

            return old["anyOf"] is not JsonArray before
                ? [$"{here} has to have one of {now.Count} forms now."]
                : before.SelectMany(form => now.Select(other => new Comparison(rootBefore, rootNow, [.. compared]).Compare(form, other, path)).MinBy(found => found.Count) ?? [$"{here} has no form any more."]);
        }

        /// <summary>What a schema says, references followed; null where it allows nothing.</summary>
        private static JsonObject? Resolve(JsonNode root, JsonNode? schema)
        {
            for (var steps = 0; schema is JsonObject reference && reference["$ref"] is { } target && steps < 64; steps++)
            {
                schema = SchemaReader.Resolve(root, (string)target!);
            }

            return schema switch
            {
                JsonObject words => words,
                JsonValue value when !(bool)value => null,
                _ => Anything,
            };
        }
    }
}
