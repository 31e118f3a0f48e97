using System.Buffers;
using System.Buffers.Binary;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Observability;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Backplane;
using RealtimeAspire.Server.Pipeline.Connections;
using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Limits;
using RealtimeAspire.Server.Pipeline.Signing;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Server.Pipeline;

/// <summary>
/// The life of an event until it is acknowledged. This and <see cref="SubscribePath"/> are the only places that see every stage.
/// <code>
/// client ── hub / HTTP ──►  1  Limits         admit: rate, size (code in the process comes in at 2)
///                           2  Authorization  may this identity publish this event name here?
///                           3  Topics         the type's policy, the event's schema, the publisher's signature
///                           4  TopicLogs      dedupe by id, append → position
///                           5  Backplane      start: every node that has a subscriber; own feed directly
///                           6  reply          position to the publisher; does not wait for 5
/// </code>
/// </summary>
/// <remarks>
/// Steps 1 to 3 are synchronous and step 4 enters the log's line before it first awaits: a connection's publishes, called one
/// after another, are appended in that order while many are in flight.
/// </remarks>
internal sealed class PublishPath(
    PublishLimiter limits,
    TopicAccess access,
    TopicCatalog topics,
    EventCatalog events,
    SignatureCheck signatures,
    LogCatalog logs,
    FeedRegistry feeds,
    IBackplane backplane,
    RealtimeInstruments instruments,
    RealtimeTracing tracing,
    FaultPoints faults,
    IOptions<RealtimeOptions> options,
    TimeProvider time)
{
    private const int MaxIdLength = 128;
    private const int ContentHashLength = 16;

    private readonly int _maxBatch = options.Value.Limits.BatchPublishes;

    /// <param name="caller">Who publishes.</param>
    /// <param name="name">The topic.</param>
    /// <param name="request">Untrusted; every member is validated here. Its topic is not looked at.</param>
    /// <param name="connection">Over which connection; null where there is none.</param>
    /// <exception cref="RealtimeException">Refused or failed, with a code.</exception>
    public Task<PublishReply> PublishAsync(Caller caller, TopicName name, PublishRequest request, Connection? connection = null) =>
        PublishAsync(caller, name, request, time.GetTimestamp(), connection);

    /// <summary>
    /// Publishes several, in order: all enter the logs' lines together. Stops at the first failure that may pass, so that
    /// what follows can be sent again in order.
    /// </summary>
    /// <param name="caller">Who publishes.</param>
    /// <param name="count">How many.</param>
    /// <param name="topic">The topic of each, untrusted; may refuse with a <see cref="RealtimeException"/>.</param>
    /// <param name="request">Each of them, untrusted; may refuse with a <see cref="RealtimeException"/>.</param>
    /// <param name="connection">Over which connection; null where there is none.</param>
    /// <exception cref="RealtimeException"><c>batch_empty</c>, <c>batch_too_large</c>.</exception>
    public async Task<PublishOutcome[]> PublishManyAsync(
        Caller caller, int count, Func<int, string?> topic, Func<int, PublishRequest> request, Connection? connection = null)
    {
        if (count == 0 || count > _maxBatch)
        {
            throw new RealtimeException(count == 0 ? ErrorCode.BatchEmpty : ErrorCode.BatchTooLarge);
        }

        // One time limit for all: when it is over for one, it is over for those behind it.
        var started = time.GetTimestamp();
        var publishes = new List<Task<PublishReply>>(count);
        while (publishes.Count < count)
        {
            var publish = PublishOneAsync(publishes.Count);
            publishes.Add(publish);
            if (publish.IsFaulted && publish.Exception.InnerException is RealtimeException { Error.Retryable: true })
            {
                break;
            }
        }

        var outcomes = new PublishOutcome[count];
        var stopped = false;
        for (var i = 0; i < count; i++)
        {
            outcomes[i] = i < publishes.Count ? await ToOutcomeAsync(publishes[i], stopped) : NotAttempted();
            stopped |= outcomes[i].Error is { Retryable: true };
        }

        return outcomes;

        async Task<PublishReply> PublishOneAsync(int i) => await PublishAsync(caller, TopicName.Parse(topic(i)), request(i), started, connection);
    }

    private static PublishOutcome NotAttempted() => new() { Error = new RealtimeException(ErrorCode.NotAttempted).ToBody() };

    private static async Task<PublishOutcome> ToOutcomeAsync(Task<PublishReply> publish, bool stopped)
    {
        try
        {
            return new PublishOutcome { Reply = await publish };
        }
        // Behind a failure that may pass nothing counts as tried, but for what the log may have taken all the same.
        catch (RealtimeException exception) when (!stopped || exception.Error == ErrorCode.LogUnavailable)
        {
            return new PublishOutcome { Error = exception.ToBody() };
        }
        catch (RealtimeException)
        {
            return NotAttempted();
        }
    }

    private async Task<PublishReply> PublishAsync(Caller caller, TopicName name, PublishRequest request, long started, Connection? connection)
    {
        var policy = topics.Get(new TopicKey(caller.Tenant, name));
        using var activity = tracing.StartPublish(caller, name, request.TraceId);
        try
        {
            // 1.
            var payload = PayloadOf(request);
            limits.Admit(caller, payload.Length, policy.PayloadBytes, connection);

            // 2.
            RequireForm(request, payload, limits.PayloadMembers);
            activity?.SetTag(TagNames.Event, request.Event);
            access.RequirePublish(caller, policy, name, request.Event!);

            // 3.
            events.Require(policy, request.Event!, request.Version, request.Payload);
            var signature = signatures.Require(caller, policy, name, request);
            var append = ToAppend(caller, name, request, payload, signature, started, activity);
            if (policy.IsEphemeral(append.Event))
            {
                return PassOn(append, policy);
            }

            // 4.
            var log = logs.Of(policy);
            var outcome = await log.AppendAsync(append, log.AnnouncesAppends ? FanOutHere : FanOut);

            // 6.
            instruments.Published(caller.Tenant, policy.Type, outcome.Duplicate, time.GetElapsedTime(started));
            return new PublishReply { Position = outcome.Position, Timestamp = outcome.Timestamp, Duplicate = outcome.Duplicate };
        }
        catch (RealtimeException exception)
        {
            activity?.SetStatus(ActivityStatusCode.Error, exception.Code);
            instruments.PublishFailed(caller.Tenant, policy.Type, exception.Code, time.GetElapsedTime(started));
            throw;
        }
    }

    /// <summary>An event that no log keeps: whoever listens has it.</summary>
    private PublishReply PassOn(Append append, TopicPolicy policy)
    {
        var timestamp = DateTimeOffset.FromUnixTimeMilliseconds(time.GetUtcNow().ToUnixTimeMilliseconds());
        var encoded = EncodedEvent.Encode(append.At(Position.Origin, timestamp));
        feeds.Post(encoded, lendThread: true);
        backplane.Publish(encoded);
        instruments.Published(append.Topic.Tenant, policy.Type, duplicate: false, time.GetElapsedTime(append.Started));
        return new PublishReply { Position = null, Timestamp = timestamp, Duplicate = false };
    }

    /// <summary>Called by a log, in offset order; only enqueues.</summary>
    private void FanOut(LoggedEvent logged)
    {
        faults.Committed();

        // 5.
        var encoded = EncodedEvent.Encode(logged);
        feeds.Post(encoded);
        backplane.Publish(encoded);
    }

    /// <summary>Called by a log that has told the other nodes.</summary>
    private void FanOutHere(LoggedEvent logged) => feeds.Post(EncodedEvent.Encode(logged));

    private static ReadOnlySpan<byte> PayloadOf(PublishRequest request) => request.Payload.ValueKind is JsonValueKind.Undefined
        ? throw new RealtimeException(ErrorCode.PayloadInvalid, "The payload is missing.")
        : JsonMarshal.GetRawUtf8Value(request.Payload);

    private static void RequireForm(PublishRequest request, ReadOnlySpan<byte> payload, int maxMembers)
    {
        if (!EventCatalog.IsName(request.Event))
        {
            throw new RealtimeException(ErrorCode.EventInvalid);
        }

        if (request.Id is { } id && (id.Length is 0 or > MaxIdLength || id.AsSpan().ContainsAnyExceptInRange('!', '~')))
        {
            throw new RealtimeException(ErrorCode.IdInvalid);
        }

        if (request.EntityId is { } entity && (entity.Length is 0 or > MaxIdLength || entity.Any(char.IsControl)))
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, "An entityId is 1 to 128 characters without control characters.");
        }

        if (request.Version < 1)
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, "A version (v) is 1 or more.");
        }

        PayloadForm.Require(payload, maxMembers);
    }

    private Append ToAppend(
        Caller caller, TopicName name, PublishRequest request, ReadOnlySpan<byte> payload, byte[]? signature, long started, Activity? activity) => new()
    {
        Started = started,
        Topic = new TopicKey(caller.Tenant, name),
        Publisher = caller.UserId,
        Id = request.Id ?? Guid.CreateVersion7(time.GetUtcNow()).ToString(),
        Event = request.Event!,
        Version = request.Version,
        EntityId = request.EntityId,
        Payload = payload.ToArray(),
        Signature = signature,
        ContentHash = HashContent(request, payload),
        Trace = activity?.Context ?? default,
        TraceParent = activity?.Id,
    };

    /// <summary>What makes two publishes of the same id the same event.</summary>
    private static byte[] HashContent(PublishRequest request, ReadOnlySpan<byte> payload)
    {
        var (name, entity) = (request.Event!, request.EntityId ?? "");
        var length = sizeof(int) + Encoding.UTF8.GetByteCount(name) + 1 + Encoding.UTF8.GetByteCount(entity) + 1 + payload.Length;
        var rented = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            var content = rented.AsSpan(0, length);
            content.Clear();
            BinaryPrimitives.WriteInt32LittleEndian(content, request.Version);
            var at = sizeof(int);
            at += Encoding.UTF8.GetBytes(name, content[at..]) + 1;
            at += Encoding.UTF8.GetBytes(entity, content[at..]) + 1;
            payload.CopyTo(content[at..]);
            return SHA256.HashData(content)[..ContentHashLength];
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }
}
