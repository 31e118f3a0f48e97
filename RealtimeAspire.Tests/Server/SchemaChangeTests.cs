using System.Text.Json.Nodes;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Tests.Server;

/// <summary>Whether a schema only adds to an earlier one.</summary>
public sealed class SchemaChangeTests
{
    [Theory]
    [InlineData("""{"properties":{"a":{"type":"string"}}}""", """{"properties":{"a":{"type":"string"},"b":{"type":"string"}}}""")]
    [InlineData("""{"enum":["a"]}""", """{"enum":["b","a"]}""")]
    [InlineData("""{"const":1}""", """{"enum":[1,2]}""")]
    [InlineData("""{"type":"string","minLength":2,"maxLength":4}""", """{"type":"string","minLength":1,"maxLength":5}""")]
    [InlineData("""{"type":"number","exclusiveMinimum":0}""", """{"type":"number","minimum":0}""")]
    [InlineData("""{"type":"number","maximum":9}""", """{"type":"number"}""")]
    [InlineData("""{"additionalProperties":false}""", """{}""")]
    [InlineData("""{"anyOf":[{"const":1},{"const":2}]}""", """{"anyOf":[{"const":0},{"const":2},{"const":1}]}""")]
    [InlineData("""{"type":["string","null"]}""", """{"type":["null","string"],"description":"Anything said."}""")]
    [InlineData("""{"properties":{"a":{"type":"string"}}}""", """{"properties":{"a":{"$ref":"#/definitions/a"}},"definitions":{"a":{"type":"string"}}}""")]
    [InlineData("""{"properties":{"next":{"$ref":"#"}}}""", """{"properties":{"next":{"$ref":"#"},"more":{}}}""")]
    public void What_only_adds_is_no_finding(string before, string now) => Assert.Empty(Between(before, now));

    [Theory]
    [InlineData("""{"properties":{"a":{}}}""", """{"properties":{}}""", "a is gone.")]
    [InlineData("""{}""", """{"required":["a"]}""", "a is required now.")]
    [InlineData("""{"required":["a"]}""", """{}""", "a may be missing now.")]
    [InlineData("""{"type":["string","null"]}""", """{"type":"string"}""", "The payload was null or a string and is now a string.")]
    [InlineData("""{"type":"integer"}""", """{"type":"number"}""", "The payload was an integer and is now a number.")]
    [InlineData("""{}""", """{"type":"object"}""", "The payload was anything and is now an object.")]
    [InlineData("""{"enum":["a",null]}""", """{"enum":["a"]}""", "The payload cannot be null any more.")]
    [InlineData("""{}""", """{"const":7}""", "The payload has to be one of 7 now.")]
    [InlineData("""{"maxLength":5}""", """{"maxLength":4}""", "The payload has at most 4 characters now, and was at most 5.")]
    [InlineData("""{}""", """{"minItems":1}""", "The payload has at least 1 items now.")]
    [InlineData("""{"minimum":0}""", """{"exclusiveMinimum":0}""", "The payload is more than 0 now, and was at least 0.")]
    [InlineData("""{}""", """{"additionalProperties":false}""", "The payload takes no other members any more.")]
    [InlineData("""{"additionalProperties":{"type":"string"}}""", """{}""", "{} was a string and is now anything.")]
    [InlineData("""{"items":{"properties":{"b":{"type":"string"}}}}""", """{"items":{"properties":{"b":{"type":"boolean"}}}}""", "[].b was a string and is now a boolean.")]
    [InlineData("""{"items":{}}""", """{"items":false}""", "[] is not allowed any more.")]
    [InlineData("""{"anyOf":[{"const":1},{"const":2}]}""", """{"anyOf":[{"const":2}]}""", "The payload cannot be 1 any more.")]
    [InlineData("""{}""", """{"anyOf":[{},{}]}""", "The payload has to have one of 2 forms now.")]
    [InlineData("""{"properties":{"a":{"$ref":"#/definitions/x"}},"definitions":{"x":{"maximum":3}}}""", """{"properties":{"a":{"maximum":2}}}""", "a is at most 2 now, and was at most 3.")]
    [InlineData("""{"properties":{"next":{"$ref":"#"}},"required":["next"]}""", """{"properties":{"next":{"$ref":"#"}}}""", "next may be missing now.")]
    public void Whatever_breaks_who_publishes_or_reads_is_named(string before, string now, string finding) => Assert.Equal([finding], Between(before, now));

    /// <summary>What the findings are about: a payload that was right stays right where there is none.</summary>
    [Fact]
    public void Where_nothing_is_found_what_was_right_is_right()
    {
        var random = new Random(5);
        var (additive, taken) = (0, 0);
        for (var i = 0; i < 3_000; i++)
        {
            var (before, now) = (RandomSchema.Make(random), RandomSchema.Make(random));
            if (random.Next(3) == 0)
            {
                now = (JsonObject)before.DeepClone();
                RandomSchema.Change(now, random);
            }

            // Parsed, as those of a server are: numbers are of one kind then.
            (before, now) = ((JsonObject)JsonNode.Parse(before.ToJsonString())!, (JsonObject)JsonNode.Parse(now.ToJsonString())!);
            if (SchemaChange.Between(before, now).Count > 0)
            {
                continue;
            }

            additive++;
            var (old, changed) = (PayloadSchema.Of("Old", before), PayloadSchema.Of("Now", now));
            var mill = new PayloadMill(before, seed: i);
            for (var j = 0; j < 30; j++)
            {
                using var payload = System.Text.Json.JsonDocument.Parse(mill.Next()?.ToJsonString() ?? "null");
                // A new member may meet one of the same name that was nobody's business: that is what a version is for.
                if (old.Refuse(payload.RootElement) is null && payload.RootElement.ValueKind is not System.Text.Json.JsonValueKind.Object)
                {
                    taken++;
                    Assert.True(changed.Refuse(payload.RootElement) is null, $"{before.ToJsonString()}\n{now.ToJsonString()}\n{payload.RootElement}");
                }
            }
        }

        Assert.True(additive > 100 && taken > 100, $"{additive} additive changes, {taken} payloads");
    }

    private static IReadOnlyList<string> Between(string before, string now)
    {
        // Both are schemas that a server takes.
        _ = (SchemaReader.Read(JsonNode.Parse(before)!), SchemaReader.Read(JsonNode.Parse(now)!));
        return SchemaChange.Between(JsonNode.Parse(before)!, JsonNode.Parse(now)!);
    }
}

internal static class RandomSchema
{
    private static readonly string[] Types = ["string", "number", "integer", "boolean", "null", "array"];

    public static JsonObject Make(Random random, int depth = 0)
    {
        var schema = new JsonObject { ["type"] = Types[random.Next(depth > 1 ? Types.Length - 1 : Types.Length)] };
        if ((string)schema["type"]! == "array")
        {
            schema["items"] = Make(random, depth + 1);
        }

        Change(schema, random);
        return schema;
    }

    public static void Change(JsonNode node, Random random)
    {
        var schema = (JsonObject)node;
        switch (random.Next(8))
        {
            case 0:
                schema["minLength"] = random.Next(4);
                break;
            case 1:
                schema["maxLength"] = random.Next(4, 12);
                break;
            case 2:
                schema["minimum"] = random.Next(-2, 2);
                break;
            case 3:
                schema["exclusiveMaximum"] = random.Next(2, 120);
                break;
            case 4:
                schema["maxItems"] = random.Next(5);
                break;
            case 5:
                schema["enum"] = new JsonArray([.. Enumerable.Range(0, random.Next(1, 4)).Select(i => (JsonNode)i)]);
                break;
            case 6:
                schema.Remove("enum");
                break;
            default:
                break;
        }
    }
}
