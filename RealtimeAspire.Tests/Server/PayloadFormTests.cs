using System.Text;
using System.Text.Json;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;

namespace RealtimeAspire.Tests.Server;

/// <summary>What every reader of a payload has to be able to hold.</summary>
public sealed class PayloadFormTests
{
    private const int MaxMembers = 1_000;

    [Theory]
    [InlineData("""{"a":1,"b":{"a":1},"c":[{"a":1},{"a":2}]}""", null)]
    [InlineData("""{"a":":","b":"\"a\":","c":"{\\"}""", null)]
    [InlineData("""{"a" : 1, "A" : 2, "" : 3, "a " : 4}""", null)]
    [InlineData("\"\\ud83d\\ude00 \\t\\n\\r\\u0009\\u000A\\u000d\\u0020\\u0085\\uFFFF\\/\"", null)]
    [InlineData("1e400", null)]
    [InlineData("""{"a":1,"a":1}""", "the same name")]
    [InlineData("""{"a":1,"b":{},"\u0061":2}""", "the same name")]
    [InlineData("""{"\u00e9":1,"é":2}""", "the same name")]
    [InlineData("""[[{"x":{"a":1, "b":2 , "a" :3}}]]""", "the same name")]
    [InlineData("""{"a":{"b":[1,{"c":2}]},"a":1}""", "the same name")]
    [InlineData("""{"":1,"":2}""", "the same name")]
    [InlineData("\"\\ud83d\"", "surrogate")]
    [InlineData("\"\\ude00\\ud83d\"", "surrogate")]
    [InlineData("\"\\ud83dx\\ude00\"", "surrogate")]
    [InlineData("\"\\ud83d\\ud83d\\ude00\"", "surrogate")]
    [InlineData("\"\\uD83D\\n\"", "surrogate")]
    [InlineData("{\"\\udbff\":1}", "surrogate")]
    [InlineData("\"\\u0000\"", "control character")]
    [InlineData("{\"a\":[\"x\\u001F\"]}", "control character")]
    [InlineData("\"\\b\"", "control character")]
    [InlineData("\"\\\\\\f\"", "control character")]
    [InlineData("{\"\\u000b\":1}", "control character")]
    public void What_some_reader_cannot_hold_is_refused(string payload, string? refusal) => AssertRefused(refusal, payload);

    [Fact]
    public void Bytes_that_are_no_text_are_refused() => Assert.Contains(
        "not UTF-8", Assert.Throws<RealtimeException>(() => PayloadForm.Require([(byte)'"', 0xc3, (byte)'"'], MaxMembers)).Message, StringComparison.Ordinal);

    [Fact]
    public void Depth_and_members_have_bounds()
    {
        AssertRefused(null, new string('[', 32) + new string(']', 32));
        AssertRefused("deeper than 32", new string('[', 33) + new string(']', 33));
        AssertRefused("deeper than 32", string.Concat(Enumerable.Repeat("{\"a\":", 33)) + "1" + new string('}', 33));
        // Brackets in texts are none.
        AssertRefused(null, $"\"{new string('[', 100)}\"");
        AssertRefused(null, Members(MaxMembers, "m"));
        AssertRefused("more than 1000 members", Members(MaxMembers + 1, "m"));
        AssertRefused("more than 1000 members", $"[{string.Join(',', Enumerable.Repeat("""{"a":1,"b":2}""", 501))}]");
    }

    [Theory]
    [InlineData(2)]
    [InlineData(16)]
    [InlineData(17)]
    [InlineData(1_000)]
    public void Two_members_of_one_name_are_found_among_any_number(int members)
    {
        var names = Enumerable.Range(0, members - 1).Select(i => $"\"name{i}\":{i}").ToList();

        AssertRefused(null, $"{{{string.Join(',', names.Append("\"other\":0"))}}}");
        AssertRefused("the same name", $"{{{string.Join(',', names.Append(names[(members - 1) / 2]))}}}");
        AssertRefused("the same name", $"{{{string.Join(',', names.Append("\"\\u006eame0\":0"))}}}");
    }

    /// <summary>The pass over the bytes and a parse of the whole say the same about random payloads.</summary>
    [Fact]
    public void It_agrees_with_a_reader_that_takes_everything_apart()
    {
        var random = new Random(29);
        var refused = 0;
        const int Payloads = 20_000;
        for (var i = 0; i < Payloads; i++)
        {
            var payload = RandomPayload.Make(random);
            var expected = RandomPayload.IsSound(payload);
            var actual = RefusalOf(payload) is null;
            Assert.True(expected == actual, $"{payload}: {(actual ? "taken" : RefusalOf(payload))}");
            refused += actual ? 0 : 1;
        }

        Assert.InRange(refused, Payloads / 20, Payloads * 19 / 20);
    }

    [Theory]
    [InlineData("""{"text":"Has anybody seen the plans for Thursday? I left them here."}""")]
    [InlineData("""{"b":1.0921,"a":1.1}""")]
    [InlineData("""{"id":17,"title":"Write","done":false,"tags":["a","b"],"by":{"id":"ada","name":"Ada"},"at":"2026-11-21T05:27:00.123Z"}""")]
    public void An_ordinary_payload_costs_no_memory(string payload)
    {
        var bytes = Encoding.UTF8.GetBytes(payload);
        PayloadForm.Require(bytes, MaxMembers);

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
        {
            PayloadForm.Require(bytes, MaxMembers);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static string Members(int count, string name) => $"{{{string.Join(',', Enumerable.Range(0, count).Select(i => $"\"{name}{i}\":0"))}}}";

    private static void AssertRefused(string? refusal, string payload)
    {
        var actual = RefusalOf(payload);
        if (refusal is null)
        {
            Assert.Null(actual);
        }
        else
        {
            Assert.Contains(refusal, actual ?? "it was taken", StringComparison.Ordinal);
        }
    }

    private static string? RefusalOf(string payload)
    {
        using var parsed = JsonDocument.Parse(payload, new JsonDocumentOptions { MaxDepth = 200 });
        try
        {
            PayloadForm.Require(Encoding.UTF8.GetBytes(payload), MaxMembers);
            return null;
        }
        catch (RealtimeException exception)
        {
            Assert.Equal(ErrorCode.PayloadInvalid.Code, exception.Code);
            return exception.Message;
        }
    }
}

/// <summary>JSON with what is hard about it: names again, escaped ones, odd texts.</summary>
internal static class RandomPayload
{
    private static readonly string[] Texts =
    [
        "a", "b", "c", "\\u0061", "\\u0062", "é", "\\u00e9", "", "x\\\\", "\\\"", ":", "{", "}]", ",", "\\ud83d\\ude00", "😀", "\\t", "\\n\\r", "\\/",
        "\\u000a", "\\ud83d", "\\ude00", "\\u0000", "\\u001b", "\\b", "\\f", "\\ud83d\\u0041", "longer than sixteen bytes, or thirty-two", "\\u007f",
    ];

    private static readonly string[] Scalars =
        ["0", "-1", "1.5", "1e5", "1e400", "-0.0", "123456789012345678901234567890", "9223372036854775807", "18446744073709551615", "true", "false", "null"];

    public static string Make(Random random, int depth = 0)
    {
        var space = random.Next(5) == 0 ? " " : "";
        return random.Next(depth > 5 ? 2 : 5) switch
        {
            0 => Scalars[random.Next(Scalars.Length)],
            1 => $"\"{Text(random)}\"",
            2 => $"[{space}{string.Join($"{space},", Enumerable.Range(0, random.Next(4)).Select(_ => Make(random, depth + 1)))}]",
            _ => $"{{{string.Join(",", Enumerable.Range(0, random.Next(random.Next(30) == 0 ? 40 : 4)).Select(i => $"{space}\"{Name(random, i)}\"{space}:{Make(random, depth + 1)}"))}}}",
        };
    }

    /// <summary>Whether the platform's own parser finds nothing.</summary>
    public static bool IsSound(string payload)
    {
        try
        {
            using var parsed = JsonDocument.Parse(payload, new JsonDocumentOptions { AllowDuplicateProperties = false });
            return IsSound(parsed.RootElement);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            return false;
        }
    }

    private static bool IsSound(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => IsSoundText(value.GetString()!),
        JsonValueKind.Array => value.EnumerateArray().All(IsSound),
        JsonValueKind.Object => value.EnumerateObject().All(member => IsSoundText(member.Name) && IsSound(member.Value)),
        _ => true,
    };

    private static bool IsSoundText(string text) => !text.Any(one => one < ' ' && one is not ('\t' or '\n' or '\r'));

    private static string Name(Random random, int i) => random.Next(8) == 0 ? Text(random) : $"n{i}";

    // Most of them right, or hardly any payload would be.
    private static string Text(Random random) => random.Next(3) == 0 ? Texts[random.Next(Texts.Length)] : "text";
}
