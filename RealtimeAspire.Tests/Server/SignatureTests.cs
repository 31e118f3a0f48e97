using System.Text;
using System.Text.Json;
using RealtimeAspire.Client.Signing;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Connections.MessagePack;
using RealtimeAspire.Server.Pipeline.Signing;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Tests.Server;

/// <summary>What is refused before the log for its signature, and what goes on with it.</summary>
public sealed class SignatureTests : IAsyncDisposable
{
    private const string Topic = "ledger:a";

    private static readonly RealtimeOptions Options = new()
    {
        TopicTypes =
        {
            ["ledger"] = new TopicTypeOptions { Signed = SignedEvents.Required, IdempotencyWindow = TimeSpan.FromHours(1), EphemeralEvents = ["app:typing"] },
        },
    };

    private readonly SetTime _time = new();
    private readonly EventSigner _signer;
    private readonly TestNode _node;
    private readonly Caller _ada;

    public SignatureTests()
    {
        _signer = SigningVectors.NewSigner(time: _time);
        _node = new TestNode(options: Options, time: _time);
        _ada = TestNode.Ada with { SigningKeys = KeysOf(_signer) };
    }

    public async ValueTask DisposeAsync()
    {
        _signer.Dispose();
        await _node.DisposeAsync();
    }

    [Fact]
    public async Task A_signed_event_is_taken_and_keeps_its_signature_through_the_log_and_in_every_encoding()
    {
        var signed = Sign(payload: """{ "b": 1.50, "a": "\u00e4" }""");
        await PublishAsync(signed);

        var read = (await _node.History.ReadAsync(_ada, TopicName.Parse(Topic), null, null, 10, TestContext.Current.CancellationToken)).Events.Single();
        var received = JsonSerializer.Deserialize(read.Json.Span, RealtimeJson.Default.TopicEvent)!;
        Assert.Equal(signed.Signature, received.Data.Signature);
        Assert.EndsWith(
            $$$""","signature":{"keyId":"{{{_signer.KeyId}}}","value":"{{{signed.Signature!.Value}}}","signedAt":"2026-11-21T05:27:00.123Z"}},"trace_id":null}""",
            Encoding.UTF8.GetString(read.Json.Span),
            StringComparison.Ordinal);
        Assert.Equal(SignatureStatus.Valid, await VerifyAsync(received));
        var packed = PackedEvent.PackAfterTopic(read.Json.Span);
        Assert.Contains(Convert.ToHexString(Encoding.UTF8.GetBytes(signed.Signature.Value)), Convert.ToHexString(packed), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Whatever_way_the_payload_is_written_the_signature_holds()
    {
        var signed = Sign(payload: """{"a":"ä","b":[1.5,100,1e+21]}""");

        await PublishAsync(signed with { Payload = JsonElement.Parse("""  { "b" : [ 15e-1 , 1E2 , 1000000000000000000000 ] , "\u0061" : "\u00e4" } """) });
    }

    [Fact]
    public async Task Whatever_else_is_changed_the_signature_is_of_another_event()
    {
        var signed = Sign() with { EntityId = null };

        await RefusedAsync("signature_invalid", signed with { Payload = JsonElement.Parse("2") });
        await RefusedAsync("signature_invalid", signed with { Payload = JsonElement.Parse("\"1\"") });
        await RefusedAsync("signature_invalid", signed with { Event = "app:y" });
        await RefusedAsync("signature_invalid", signed with { Id = $"{signed.Id}x" });
        await RefusedAsync("signature_invalid", signed with { Id = null });
        await RefusedAsync("signature_invalid", signed with { EntityId = "e" });
        await RefusedAsync("signature_invalid", signed with { Version = 2 });
        await RefusedAsync("signature_invalid", signed with { Signature = signed.Signature! with { SignedAt = signed.Signature.SignedAt.AddMilliseconds(1) } });
        await RefusedAsync("signature_invalid", signed with { Signature = signed.Signature! with { SignedAt = signed.Signature.SignedAt.AddTicks(1) } });
        await RefusedAsync("signature_invalid", signed with { Signature = signed.Signature! with { Value = new string('A', 86) } });
        await RefusedAsync("signature_invalid", signed with { Signature = signed.Signature! with { Value = $"{signed.Signature.Value}=" } });
        await RefusedAsync("signature_invalid", signed with { Signature = signed.Signature! with { Value = null! } });
        await RefusedAsync("signature_invalid", signed, topic: "ledger:b");
        await RefusedAsync("signature_invalid", signed, topic: "room:a");
        await RefusedAsync("signature_invalid", signed, _ada with { Tenant = "acme" });
        Assert.Equal(0, _node.Log.Appends);
        await PublishAsync(signed);
    }

    [Fact]
    public async Task A_key_that_the_publisher_does_not_have_signs_nothing_of_his()
    {
        using var other = SigningVectors.NewSigner(time: _time);
        var (signed, bob) = (Sign(), new Caller("default", "bob") { SigningKeys = KeysOf(other) });

        await RefusedAsync("signing_key_unknown", SigningVectors.Sign(other, Topic));
        await RefusedAsync("signing_key_unknown", signed, bob);
        await RefusedAsync("signing_key_unknown", signed, TestNode.Ada);
        await RefusedAsync("signing_key_unknown", signed with { Signature = signed.Signature! with { KeyId = null! } });
        await RefusedAsync("signing_key_unknown", signed with { Signature = signed.Signature! with { KeyId = "phone" } });
        // The same bytes under a key that bob has: the name of the key is signed too.
        await RefusedAsync("signature_invalid", signed with { Signature = signed.Signature! with { KeyId = other.KeyId } }, bob);
    }

    [Fact]
    public async Task Where_it_is_required_nothing_else_is_taken_from_anybody()
    {
        var unsigned = new PublishRequest { Event = "app:x", Payload = JsonElement.Parse("1"), Id = "one" };

        await RefusedAsync("signature_required", unsigned);
        await RefusedAsync("signature_required", unsigned with { Event = "app:typing" });
        await RefusedAsync("signature_required", unsigned, new Caller("default", ""));
        await _node.Publish.PublishAsync(_ada, TopicName.Parse("room:a"), unsigned);
        var outcomes = await _node.Publish.PublishManyAsync(_ada, 3, _ => Topic, i => i == 1 ? unsigned : Sign());
        Assert.Equal([null, "signature_required", null], outcomes.Select(outcome => outcome.Error?.Code));
    }

    [Fact]
    public async Task Where_it_is_not_required_one_that_is_given_is_verified_and_kept()
    {
        var signed = SigningVectors.Sign(_signer, "room:a");
        await PublishAsync(signed, topic: "room:a");

        await RefusedAsync("signature_invalid", SigningVectors.Sign(_signer, "room:b"), topic: "room:a");
        var page = await _node.Log.ReadAsync(new TopicKey("default", TopicName.Parse("room:a")), new LogRange.After(0), 10, TestContext.Current.CancellationToken);
        Assert.NotNull(page.Events.Single().Signature);
    }

    [Fact]
    public async Task The_server_itself_signs_with_keys_of_its_own()
    {
        await PublishAsync(Sign(), new Caller("default", "") { SigningKeys = KeysOf(_signer) });
    }

    [Fact]
    public async Task A_retry_that_is_signed_again_is_the_same_publish()
    {
        var first = Sign();
        var position = (await PublishAsync(first)).Position;
        _time.Now += TimeSpan.FromMinutes(1);
        var again = await PublishAsync(first with { Signature = _signer.Sign(first, Topic) });

        Assert.Equal((position, true), (again.Position, again.Duplicate));
    }

    [Fact]
    public async Task An_event_that_somebody_has_kept_is_a_duplicate_and_then_too_old_before_its_id_is_forgotten()
    {
        var kept = Sign();
        await PublishAsync(kept);
        _time.Now += TimeSpan.FromMinutes(59.4);
        Assert.True((await PublishAsync(kept)).Duplicate);
        _time.Now += TimeSpan.FromMinutes(0.2);

        await RefusedAsync("signature_expired", kept);
    }

    [Fact]
    public async Task What_is_signed_in_the_future_is_refused_but_for_as_much_as_clocks_differ()
    {
        var now = _time.Now;
        _time.Now = now.AddSeconds(29);
        var soon = Sign();
        _time.Now = now.AddSeconds(31);
        var later = Sign();
        _time.Now = now;

        await PublishAsync(soon);
        await RefusedAsync("signature_expired", later);
    }

    [Fact]
    public async Task An_ephemeral_event_is_good_for_a_minute()
    {
        var typing = SigningVectors.Sign(_signer, Topic, name: "app:typing");
        Assert.Null((await PublishAsync(typing)).Position);
        _time.Now += TimeSpan.FromMinutes(1);

        await RefusedAsync("signature_expired", typing);
    }

    [Fact]
    public async Task A_number_that_is_more_exact_than_a_double_is_refused_where_it_is_signed_and_nowhere_else()
    {
        var signed = Sign();
        var exact = signed with { Payload = JsonElement.Parse("9007199254740993") };

        await RefusedAsync("payload_invalid", exact);
        await PublishAsync(exact with { Signature = null }, topic: "room:a");
    }

    [Fact]
    public async Task While_nobody_knows_the_publisher_s_keys_he_may_try_again()
    {
        var error = await Assert.ThrowsAsync<RealtimeException>(() => PublishAsync(Sign(), TestNode.Ada with { Places = new UserPlaces() }));

        Assert.Equal(("log_unavailable", true), (error.Code, error.Error.Retryable));
    }

    [Fact]
    public async Task Who_reads_finds_out_by_himself_what_was_changed_or_is_in_another_s_name()
    {
        var signed = Sign();
        var received = new TopicEvent
        {
            Topic = Topic, Event = "app:x", Id = signed.Id!,
            Data = new EventData { Payload = signed.Payload, UserId = "ada", Timestamp = _time.Now, Signature = signed.Signature },
        };
        var data = received.Data;

        Assert.Equal(SignatureStatus.Valid, await VerifyAsync(received));
        Assert.Equal(SignatureStatus.Invalid, await VerifyAsync(received with { Topic = "ledger:b" }));
        Assert.Equal(SignatureStatus.Invalid, await VerifyAsync(received with { Event = "app:y" }));
        Assert.Equal(SignatureStatus.Invalid, await VerifyAsync(received with { Data = data with { Payload = JsonElement.Parse("2") } }));
        Assert.Equal(SignatureStatus.Invalid, await VerifyAsync(received with { Data = data with { Payload = JsonElement.Parse("1e400") } }));
        Assert.Equal(SignatureStatus.Invalid, await VerifyAsync(received with { Data = data with { UserId = "bob" } }));
        Assert.Equal(SignatureStatus.Invalid, await VerifyAsync(received with { Data = data with { UserId = null } }));
        Assert.Equal(SignatureStatus.Unsigned, await VerifyAsync(received with { Data = data with { Signature = null } }));
        Assert.Equal(SignatureStatus.UnknownKey, await VerifyAsync(received with { Data = data with { Signature = data.Signature! with { KeyId = "other" } } }));
        using var other = SigningVectors.NewSigner();
        // A directory that answers with another key than was asked for.
        var liar = new EventVerifier((_, _) => Task.FromResult<SigningKeyInfo?>(InfoOf(other)));
        Assert.Equal(SignatureStatus.Invalid, (await liar.VerifyAsync(received, TestContext.Current.CancellationToken)).Status);
    }

    private async Task<SignatureStatus> VerifyAsync(TopicEvent received)
    {
        var verifier = new EventVerifier((keyId, _) => Task.FromResult(keyId == _signer.KeyId ? InfoOf(_signer) : null));
        return (await verifier.VerifyAsync(received, TestContext.Current.CancellationToken)).Status;
    }

    private static SigningKeyInfo InfoOf(EventSigner signer) =>
        new() { KeyId = signer.KeyId, Tenant = signer.Tenant, User = "ada", Jwk = signer.PublicKey, CreatedAt = DateTimeOffset.UnixEpoch };

    private static Dictionary<string, SigningKey> KeysOf(EventSigner signer) => new() { [signer.KeyId] = new SigningKey(signer.PublicKey) };

    private PublishRequest Sign(string payload = "1") => SigningVectors.Sign(_signer, Topic, payload);

    private Task<PublishReply> PublishAsync(PublishRequest request, Caller? caller = null, string topic = Topic) =>
        _node.Publish.PublishAsync(caller ?? _ada, TopicName.Parse(topic), request);

    private async Task RefusedAsync(string code, PublishRequest request, Caller? caller = null, string topic = Topic) =>
        Assert.Equal(code, (await Assert.ThrowsAsync<RealtimeException>(() => PublishAsync(request, caller, topic))).Code);

    /// <summary>Time that is what the test says.</summary>
    private sealed class SetTime : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = new(2026, 11, 21, 5, 27, 0, 123, TimeSpan.Zero);

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
