using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using RealtimeAspire.Server.Features.Chat;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Tests.Server;

/// <summary>The form of a payload: its schema and its check are two readings of one thing.</summary>
public sealed class PayloadSchemaTests
{
    private const int Payloads = 3_000;

    private static readonly JsonSerializerOptions Escaped = new();
    private static readonly JsonSerializerOptions Unescaped = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static TheoryData<string> Types => new(All.Keys.ToArray());

    private static Dictionary<string, JsonTypeInfo> All { get; } = new JsonTypeInfo[]
    {
        ChatEventJson.Default.ChatMessage, SchemaJson.Default.Order, SchemaJson.Default.Tree, SchemaJson.Default.Shape,
        SchemaJson.Default.DictionaryStringLine, SchemaJson.Default.Strict, SchemaJson.Default.Int32Array,
    }.ToDictionary(type => type.Type.Name, StringComparer.Ordinal);

    /// <summary>What the server accepts is what anybody who reads the schema expects it to accept.</summary>
    [Theory]
    [MemberData(nameof(Types))]
    public async Task The_check_agrees_with_the_schema_over_random_payloads(string type)
    {
        var schema = PayloadSchema.Of(All[type]);
        var mill = new PayloadMill(schema.Json, seed: 17);
        var payloads = Enumerable.Range(0, Payloads).Select(i => mill.Next()?.ToJsonString(i % 2 == 0 ? Escaped : Unescaped) ?? "null").ToList();

        var expected = await Ajv.ErrorsAsync(schema.Json, payloads);

        // Both kinds must be there in number, or the agreement says little.
        Assert.InRange(expected.Count(errors => errors.Length == 0), Payloads / 20, Payloads * 19 / 20);
        foreach (var (payload, errors) in payloads.Zip(expected))
        {
            using var parsed = JsonDocument.Parse(payload);
            var refused = schema.Refuse(parsed.RootElement);
            Assert.True(refused is null == (errors.Length == 0), $"{payload}\nhere: {refused ?? "right"}\nAjv: {string.Join("; ", errors)}");
        }
    }

    [Theory]
    [InlineData("""{"text":"hi"}""", null)]
    [InlineData("""{"text":"hi","more":1}""", null)]
    [InlineData("""{"text":1,"text":"the last one counts"}""", null)]
    [InlineData("""[]""", "The payload is not an object.")]
    [InlineData("""{}""", "text is missing.")]
    [InlineData("""{"text":null}""", "text is not a string.")]
    [InlineData("""{"text":""}""", "text has 1 to 4000 characters.")]
    [InlineData("""{"text":"\ud83d"}""", "text is no text: it has half of a surrogate pair.")]
    public void A_refusal_says_where_and_what(string payload, string? refusal) => Assert.Equal(refusal, Refuse(ChatEventJson.Default.ChatMessage, payload));

    [Theory]
    [InlineData("""{"text":"x","lines":[{"name":"a","amount":1},{"name":"b","amount":0}]}""", "lines[].amount is more than 0 and at most 100.")]
    [InlineData("""{"text":"x","lines":[],"side":"Hold"}""", """side is not "Buy" or "Sell".""")]
    [InlineData("""{"text":"x","lines":[],"levels":{"a":"b"}}""", "levels{} is not a number.")]
    [InlineData("""{"text":"x","lines":[1,2,3,4]}""", "lines has at most 3 items.")]
    public void It_finds_its_way_into_what_is_nested(string payload, string refusal) => Assert.Equal(refusal, Refuse(SchemaJson.Default.Order, payload));

    [Fact]
    public void Characters_are_counted_as_the_schema_counts_them()
    {
        Assert.Null(Refuse(ChatEventJson.Default.ChatMessage, $$"""{"text":"{{string.Concat(Enumerable.Repeat("😀", 4_000))}}"}"""));
        Assert.Null(Refuse(ChatEventJson.Default.ChatMessage, $$"""{"text":"{{string.Concat(Enumerable.Repeat("\\ud83d\\ude00", 4_000))}}"}"""));
        Assert.NotNull(Refuse(ChatEventJson.Default.ChatMessage, $$"""{"text":"{{new string('ü', 4_001)}}"}"""));
    }

    [Theory]
    [InlineData(nameof(ChatMessage), """{"text":"hi, ünï"}""")]
    [InlineData(nameof(Order), """{"text":"x","lines":[{"name":"a","amount":1.5,"weight":2}],"side":"Sell","tags":["a"],"levels":{"a":1},"flag":true,"more":{}}""")]
    public void A_payload_that_is_right_costs_no_memory(string type, string payload)
    {
        var schema = PayloadSchema.Of(All[type]);
        using var parsed = JsonDocument.Parse(payload);
        Assert.Null(schema.Refuse(parsed.RootElement));

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
        {
            schema.Refuse(parsed.RootElement);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Bounds_and_descriptions_stand_in_the_schema()
    {
        var schema = PayloadSchema.Of(ChatEventJson.Default.ChatMessage).Json;

        Assert.Equal("A message in a room. Its id is the event's offset as text.", (string?)schema["description"]);
        Assert.Equal("""{"description":"Markdown source.","type":"string","minLength":1,"maxLength":4000}""", schema["properties"]!["text"]!.ToJsonString());
        Assert.Equal("""["text"]""", schema["required"]!.ToJsonString());
    }

    [Fact]
    public void A_bound_that_a_schema_cannot_say_is_refused_where_it_is_registered()
    {
        var refused = Assert.Throws<NotSupportedException>(() => PayloadSchema.Of(SchemaJson.Default.Address));

        Assert.StartsWith("EmailAddressAttribute on Address.", refused.Message, StringComparison.Ordinal);
    }

    private static string? Refuse(JsonTypeInfo type, string payload)
    {
        using var parsed = JsonDocument.Parse(payload);
        return PayloadSchema.Of(type).Refuse(parsed.RootElement);
    }
}

/// <summary>Random payloads around a schema: mostly right, each with a chance to be wrong anywhere.</summary>
internal sealed class PayloadMill(JsonNode schema, int seed)
{
    private static readonly string[] Texts = ["", "a", "hi", "ünï", "😀", "a\"\\\n", "😀😀😀", "ünïünïüü", new('x', 4_000), new('ä', 4_001), "Buy", "circle"];
    private static readonly double[] Numbers = [0, 1, -1, 1.5, 2, 3, 99.5, 100, 101, 1e3, -0.5, 3_000_000_000];

    private readonly Random _random = new(seed);

    public JsonNode? Next() => Make(schema, depth: 0);

    private JsonNode? Make(JsonNode? form, int depth)
    {
        if (form is not JsonObject words || _random.Next(25) == 0)
        {
            return Junk(depth);
        }

        if (words["$ref"] is not null)
        {
            return depth > 6 ? Junk(depth) : Make(schema, depth + 1);
        }

        if (words["const"] is { } constant)
        {
            return constant.DeepClone();
        }

        if (words["enum"] is JsonArray constants)
        {
            return constants[_random.Next(constants.Count)]?.DeepClone();
        }

        var made = Make(KindOf(words["type"]), words, depth);
        if (words["anyOf"] is JsonArray forms && made is JsonObject whole && Make(forms[_random.Next(forms.Count)], depth) is JsonObject part)
        {
            foreach (var (name, value) in part)
            {
                whole[name] = value?.DeepClone();
            }
        }

        return made;
    }

    private JsonNode? Make(string? kind, JsonObject words, int depth) => kind switch
    {
        "null" => null,
        "boolean" => _random.Next(2) == 0,
        "integer" => _random.Next(-2, 103),
        "number" => Numbers[_random.Next(Numbers.Length)],
        "string" => Texts[_random.Next(Texts.Length)],
        "array" => new JsonArray([.. Enumerable.Range(0, _random.Next(5)).Select(_ => Make(words["items"], depth + 1))]),
        _ => MakeObject(words, depth),
    };

    private JsonObject MakeObject(JsonObject words, int depth)
    {
        var required = words["required"]?.AsArray().Select(name => (string)name!).ToHashSet(StringComparer.Ordinal) ?? [];
        var made = new JsonObject();
        foreach (var (name, form) in words["properties"]?.AsObject() ?? [])
        {
            if (_random.Next(required.Contains(name) ? 30 : 2) > 0)
            {
                made[name] = Make(form, depth + 1);
            }
        }

        for (var others = _random.Next(8) == 0 || words["additionalProperties"] is JsonObject ? _random.Next(3) : 0; others > 0; others--)
        {
            made[$"other{others}"] = Make(words["additionalProperties"], depth + 1);
        }

        return made;
    }

    private JsonNode? Junk(int depth) => _random.Next(depth > 6 ? 5 : 7) switch
    {
        0 => null,
        1 => true,
        2 => Numbers[_random.Next(Numbers.Length)],
        3 or 4 => Texts[_random.Next(Texts.Length)],
        5 => new JsonArray([.. Enumerable.Range(0, _random.Next(3)).Select(_ => Junk(depth + 1))]),
        _ => new JsonObject { ["text"] = Junk(depth + 1) },
    };

    private string? KindOf(JsonNode? type) => type is JsonArray kinds ? (string?)kinds[_random.Next(kinds.Count)] : (string?)type;
}

internal enum Side
{
    Buy,
    Sell,
}

[Description("What somebody wants.")]
internal sealed record Order(
    [StringLength(8)] string Text,
    [MaxLength(3)] IReadOnlyList<Line> Lines,
    Side Side = Side.Buy,
    [Length(1, 2)] string[]? Tags = null,
    IReadOnlyDictionary<string, double>? Levels = null,
    DateTimeOffset? At = null,
    TimeSpan For = default,
    Side? Other = null,
    JsonElement? Any = null,
    bool? Flag = null);

internal sealed record Line([MinLength(1)] string Name, [Range(0, 100, MinimumIsExclusive = true)] decimal Amount, [Range(1, 3)] int? Weight = null);

internal sealed record Tree(string Name, [MaxLength(2)] IReadOnlyList<Tree> Children);

[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(Circle), "circle")]
[JsonDerivedType(typeof(Square), "square")]
internal abstract record Shape;

internal sealed record Circle(double Radius) : Shape;

internal sealed record Square(int Side, string? Name) : Shape;

[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record Strict(bool On, char Sign);

internal sealed record Address([EmailAddress] string Mail);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, UseStringEnumConverter = true)]
[JsonSerializable(typeof(Order))]
[JsonSerializable(typeof(Tree))]
[JsonSerializable(typeof(Shape))]
[JsonSerializable(typeof(Strict))]
[JsonSerializable(typeof(Address))]
[JsonSerializable(typeof(int[]))]
[JsonSerializable(typeof(Dictionary<string, Line>))]
internal sealed partial class SchemaJson : JsonSerializerContext;
