using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using RealtimeAspire.Protocol;
using RealtimeAspire.Tests.Support;
using Xunit;

namespace RealtimeAspire.Tests.Protocol;

/// <summary>What is signed of an event, by the examples that the TypeScript client is held against too.</summary>
public sealed class SignedTextTests
{
    private static readonly SigningJwk Key = SigningVectors.All["key"]!["jwk"].Deserialize<SigningJwk>(JsonSerializerOptions.Web)!;

    public static TheoryData<string, string, string> Canonicals() =>
        [.. from vector in Of("canonical") select ((string)vector["name"]!, (string)vector["json"]!, (string)vector["canonical"]!)];

    public static TheoryData<string> Refused() =>
        [.. SigningVectors.All["refused"]!["numbers"]!.AsArray().Concat(SigningVectors.All["refused"]!["texts"]!.AsArray()).Select(json => (string)json!)];

    public static TheoryData<string> Events() => [.. from vector in Of("events") select (string)vector["name"]!];

    [Theory]
    [MemberData(nameof(Canonicals))]
    public void Json_has_one_canonical_form(string name, string json, string canonical)
    {
        Assert.True(canonical == Encoding.UTF8.GetString(SignedText.Canonical(JsonElement.Parse(json))), name);
        Assert.Equal(canonical, Encoding.UTF8.GetString(SignedText.Canonical(JsonElement.Parse(canonical))));
    }

    [Theory]
    [MemberData(nameof(Refused))]
    public void What_could_be_told_apart_no_more_cannot_be_signed(string json) =>
        Assert.Equal("payload_invalid", Assert.Throws<RealtimeException>(() => SignedText.Canonical(JsonElement.Parse($$"""{"a":[{{json}}]}"""))).Code);

    [Theory]
    [MemberData(nameof(Events))]
    public void An_event_has_one_text_as_it_is_published_and_as_it_is_received(string name)
    {
        var vector = Of("events").Single(vector => (string)vector["name"]! == name);
        var signature = new EventSignature { KeyId = Key.ToKeyId(), Value = "", SignedAt = DateTimeOffset.Parse((string)SigningVectors.All["signedAt"]!, null) };
        var request = vector["publish"].Deserialize(RealtimeJson.Default.PublishRequest)! with { Payload = JsonElement.Parse((string)vector["payload"]!), Signature = signature };
        var received = new TopicEvent
        {
            Topic = request.Topic!, Event = request.Event!, Id = request.Id!, Version = request.Version, Offset = 17, Epoch = "x7Qa", TraceId = "whatever",
            Data = new EventData { EntityId = request.EntityId, Payload = request.Payload, UserId = "ada", Timestamp = DateTimeOffset.UnixEpoch, Signature = signature },
        };

        Assert.Equal((string)vector["text"]!, Encoding.UTF8.GetString(SignedText.Of(request, request.Topic!, (string)vector["tenant"]!)));
        Assert.Equal((string)vector["text"]!, Encoding.UTF8.GetString(SignedText.Of(received, (string)vector["tenant"]!)));
    }

    [Fact]
    public void A_signature_that_was_made_elsewhere_is_verified()
    {
        var (text, value) = ((string)SigningVectors.All["signature"]!["text"]!, (string)SigningVectors.All["signature"]!["value"]!);

        Assert.Equal((string)SigningVectors.All["key"]!["keyId"]!, Key.ToKeyId());
        Assert.Equal(Key, SigningJwk.ReadSpki((string)SigningVectors.All["key"]!["spki"]!));
        Assert.True(Key.Verifies(Encoding.UTF8.GetBytes(text), value));
        Assert.False(Key.Verifies(Encoding.UTF8.GetBytes($"{text} "), value));
        Assert.False(Key.Verifies(Encoding.UTF8.GetBytes(text), $"{value}=="));
        Assert.False(Key.Verifies(Encoding.UTF8.GetBytes(text), value[..^1]));
        Assert.False(Key.Verifies(Encoding.UTF8.GetBytes(text), $"{value}A"));
        Assert.False(Key.Verifies(Encoding.UTF8.GetBytes(text), ""));
        Assert.False(Key.Verifies(Encoding.UTF8.GetBytes(text), new string('!', 86)));
    }

    [Theory]
    [InlineData("1")]
    [InlineData("{}")]
    [InlineData("""{"kty":"RSA","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}""")]
    [InlineData("""{"kty":"EC","crv":"P-384","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}""")]
    [InlineData("""{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyA"}""")]
    [InlineData("""{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4=","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}""")]
    [InlineData("""{"kty":"EC","crv":"P-256","x":"AAAA","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}""")]
    [InlineData("""{"kty":"EC","crv":"P-256","x":"\ud800","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}""")]
    [InlineData("""{"kty":"EC","crv":"P-256","x":7,"y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}""")]
    [InlineData("""{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"}""")]
    public void What_is_no_public_key_on_P_256_is_none(string jwk) => Assert.Throws<FormatException>(() => SigningJwk.Read(JsonElement.Parse(jwk)));

    [Fact]
    public void A_key_of_another_kind_or_curve_is_none_as_spki_either()
    {
        using var rsa = RSA.Create(2048);
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP384);

        Assert.Throws<FormatException>(() => SigningJwk.ReadSpki(Convert.ToBase64String(rsa.ExportSubjectPublicKeyInfo())));
        Assert.Throws<FormatException>(() => SigningJwk.ReadSpki(Convert.ToBase64String(other.ExportSubjectPublicKeyInfo())));
        Assert.Throws<FormatException>(() => SigningJwk.ReadSpki("no base64"));
        Assert.Throws<FormatException>(() => SigningJwk.ReadSpki(""));
        Assert.Throws<FormatException>(() => new EventSigner(other));
    }

    private static IEnumerable<JsonNode> Of(string group) => SigningVectors.All[group]!.AsArray().Select(vector => vector!);
}
