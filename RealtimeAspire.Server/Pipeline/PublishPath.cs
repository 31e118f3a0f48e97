using System.Buffers;
using System.Buffers.Binary;
using System.Diagnostics;
using System.Runtime.CompilerServices;
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
using RealtimeAspire.Server.Pipeline.Hooks;
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
///                              Hooks          what the application has to say, where it has; then 3 again for what it has rewritten
///                           4  TopicLogs      dedupe by id, append → position
///                           5  Backplane      start: every node that has a subscriber; own feed directly
///                           6  reply          position to the publisher; does not wait for 5
/// </code>
/// </summary>
/// <remarks>
/// Steps 1 to 3 are synchronous and step 4 enters the log's line before it first awaits: a connection's publishes, called one
/// after another, are appended in that order while many are in flight. Those that wait for a hook stand in a line of their own until then.
/// </remarks>
internal sealed class PublishPath(
    PublishLimiter limits,
    TopicAccess access,
    TopicCatalog topics,
    EventCatalog events,
    SignatureCheck signatures,
    HookPipeline<PublishContext> hooks,
    LogCatalog logs,
    FeedRegistry feeds,
    IBackplane backplane,
    RealtimeInstruments instruments,
    RealtimeTracing tracing,
    FaultPoints faults,
    IOptions<RealtimeOptions> options,
    TimeProvider time,
    EphemeralPace pace)
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
        PublishAsync(caller, name, request, time.GetTimestamp(), connection, batch: null);

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
        var batch = new Batch(connection?.Line ?? new PublishLine());
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

        async Task<PublishReply> PublishOneAsync(int i) => await PublishAsync(caller, TopicName.Parse(topic(i)), request(i), started, connection, batch);
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

    private async Task<PublishReply> PublishAsync(Caller caller, TopicName name, PublishRequest request, long started, Connection? connection, Batch? batch)
    {
        var policy = topics.Get(new TopicKey(caller.Tenant, name));
        using var activity = tracing.StartPublish(caller, name, request.TraceId);
        try
        {
            var signature = Admit(caller, name, policy, request, connection);
            activity?.SetTag(TagNames.Event, request.Event);
            var publish = new Publish(caller, name, policy, started, signature, activity, connection);
            return hooks.Covers(caller, name, request.Event)
                ? await PassAsync(publish, request, batch ?? new Batch(connection?.Line ?? new PublishLine()))
                : await AppendAsync(publish, request);
        }
        catch (RealtimeException exception)
        {
            activity?.SetStatus(ActivityStatusCode.Error, exception.Code);
            instruments.PublishFailed(caller.Tenant, policy.Type, exception.Code, time.GetElapsedTime(started));
            throw;
        }
    }

    /// <summary>1. to 3.: whether the event may come in.</summary>
    /// <param name="caller">Who publishes.</param>
    /// <param name="name">The topic.</param>
    /// <param name="policy">Of its type.</param>
    /// <param name="request">Untrusted.</param>
    /// <param name="connection">Over which connection; null where there is none.</param>
    /// <returns>The publisher's signature, as it is kept; null where there is none.</returns>
    /// <exception cref="RealtimeException">It may not.</exception>
    internal byte[]? Admit(Caller caller, TopicName name, TopicPolicy policy, PublishRequest request, Connection? connection)
    {
        // 1.
        var payload = PayloadOf(request);
        limits.Admit(caller, payload.Length, policy.PayloadBytes, connection);

        // 2.
        RequireForm(request, payload, limits.PayloadMembers);
        access.RequirePublish(caller, policy, name, request.Event!);

        // 3.
        events.Require(policy, request.Event!, request.Version, request.Payload);
        return signatures.Require(caller, policy, name, request);
    }

    /// <summary>Hooks: what the application has to say. However long it thinks, those that came earlier enter the log earlier.</summary>
    private async Task<PublishReply> PassAsync(Publish publish, PublishRequest request, Batch batch)
    {
        using var place = batch.Line.Enter();
        var context = new PublishContext(publish.Caller.Tenant, publish.Caller.UserId, publish.Name.Value, request, hooks.Services);
        try
        {
            await hooks.RunAsync(context, publish.Caller, publish.Name, async () =>
            {
                var isRewritten = !ReferenceEquals(context.Request, request);
                var passed = isRewritten ? Require(publish, request, context.Request) : request;
                await place.Turn;
                if (batch.HasStopped)
                {
                    throw new RealtimeException(ErrorCode.NotAttempted);
                }

                // The time that the hook took is not the log's.
                var appending = AppendAsync(publish with { Signature = isRewritten ? null : publish.Signature, AppendStarted = time.GetTimestamp() }, passed);
                place.Dispose();
                context.Reply = await appending;
            });
            return context.Reply!;
        }
        catch (RealtimeException exception) when (exception.Error.Retryable)
        {
            // Behind those that came earlier, and before those that came later.
            await place.Turn;
            batch.HasStopped = true;
            throw;
        }
    }

    /// <summary>3 again. Nobody has signed what the application says instead.</summary>
    private PublishRequest Require(Publish publish, PublishRequest asked, PublishRequest rewritten)
    {
        var request = rewritten with { Topic = asked.Topic, Id = asked.Id, TraceId = asked.TraceId, Signature = null };
        var payload = PayloadOf(request);
        if (payload.Length > publish.Policy.PayloadBytes)
        {
            throw new RealtimeException(ErrorCode.PayloadTooLarge);
        }

        RequireForm(request, payload, limits.PayloadMembers);
        events.Require(publish.Policy, request.Event!, request.Version, request.Payload);
        signatures.Require(publish.Caller, publish.Policy, publish.Name, request);
        return request;
    }

    /// <summary>4. to 6. What is before the first await keeps the order of calls.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<PublishReply> AppendAsync(Publish publish, PublishRequest request)
    {
        var append = ToAppend(publish, request, PayloadOf(request));
        if (publish.Policy.IsEphemeral(append.Event))
        {
            return PassOn(append, publish);
        }

        // 4.
        var log = logs.Of(publish.Policy);
        var outcome = await log.AppendAsync(append, log.AnnouncesAppends ? FanOutHere : FanOut);

        // 6.
        instruments.Published(publish.Caller.Tenant, publish.Policy.Type, outcome.Duplicate, time.GetElapsedTime(publish.Started));
        return new PublishReply { Position = outcome.Position, Timestamp = outcome.Timestamp, Duplicate = outcome.Duplicate };
    }

    /// <summary>An event that no log keeps: whoever listens has it.</summary>
    private PublishReply PassOn(Append append, Publish publish)
    {
        var timestamp = DateTimeOffset.FromUnixTimeMilliseconds(time.GetUtcNow().ToUnixTimeMilliseconds());
        if (events.PaceOf(publish.Policy.Type, append.Event) is { } slow)
        {
            // If it says nothing else it is about who sends it; what is signed stays as it is.
            var paced = append.Signature is null ? append with { EntityId = append.EntityId ?? publish.Caller.UserId } : append;
            // The server tells it of many, each of whom the event is about.
            pace.Pass(publish.Sender ?? (object)(publish.Caller.IsServer ? append.EntityId ?? "" : publish.Caller.UserId), append.Topic, append.Event, slow, () => Send(paced, timestamp));
        }
        else
        {
            Send(append, timestamp);
        }

        instruments.Published(append.Topic.Tenant, publish.Policy.Type, duplicate: false, time.GetElapsedTime(publish.Started));
        return new PublishReply { Position = null, Timestamp = timestamp, Duplicate = false };
    }

    private void Send(Append append, DateTimeOffset timestamp)
    {
        var encoded = EncodedEvent.Encode(append.At(Position.Origin, timestamp));
        feeds.Post(encoded, lendThread: true);
        backplane.Publish(encoded);
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

    private Append ToAppend(Publish publish, PublishRequest request, ReadOnlySpan<byte> payload) => new()
    {
        Started = publish.AppendStarted ?? publish.Started,
        Topic = new TopicKey(publish.Caller.Tenant, publish.Name),
        Publisher = publish.Caller.UserId,
        Id = request.Id ?? Guid.CreateVersion7(time.GetUtcNow()).ToString(),
        Event = request.Event!,
        Version = request.Version,
        EntityId = request.EntityId,
        Payload = payload.ToArray(),
        Signature = publish.Signature,
        ContentHash = HashContent(request, payload),
        Trace = publish.Activity?.Context ?? default,
        TraceParent = publish.Activity?.Id,
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

    /// <summary>Who publishes, where, and since when.</summary>
    /// <param name="Caller">Who.</param>
    /// <param name="Name">On which topic.</param>
    /// <param name="Policy">Of the topic's type.</param>
    /// <param name="Started">When it came.</param>
    /// <param name="Signature">The publisher's; null where there is none.</param>
    /// <param name="Activity">The publish's span.</param>
    /// <param name="Sender">Over which connection; null: over none.</param>
    private readonly record struct Publish(Caller Caller, TopicName Name, TopicPolicy Policy, long Started, byte[]? Signature, Activity? Activity, Connection? Sender)
    {
        /// <summary>From when on the log's time counts, where that is later.</summary>
        public long? AppendStarted { get; init; }
    }

    /// <summary>Publishes that were asked for together.</summary>
    private sealed class Batch(PublishLine line)
    {
        public PublishLine Line => line;

        /// <summary>One has failed in a way that may pass: those behind it are not tried.</summary>
        public bool HasStopped { get; set; }
    }
}
