using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Observability;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Connections;
using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Hooks;
using RealtimeAspire.Server.Pipeline.Limits;
using RealtimeAspire.Server.Pipeline.Presence;
using RealtimeAspire.Server.Pipeline.Signals;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline;

/// <summary>
/// From "I have seen this far" to live, without a hole. This and <see cref="PublishPath"/> are the only places that see every stage.
/// <code>
/// client ── hub / HTTP ──►  1  Limits         admit: rate, subscriptions of the connection
///                           2  Authorization  may this identity read this topic?
///                              Hooks          what the application has to say, where it has
///                           3  Feeds          attach: from here on every committed event reaches the feed, whose tail is the buffer
///                           4  TopicLogs      read from the position, unless the tail reaches back to it
///                           5  prove          same incarnation, and the tail begins where the reader is; else read on
///                           6  live           in the same moment the rest of the tail joins what was read
///                           7  reply
/// </code>
/// </summary>
/// <remarks>
/// Going live is one step under the feed's lock, so events may leave before the reply does; clients merge them by offset. A
/// reply with <c>more</c> attaches nothing; a subscription of the topic that was live before stays so until one replaces it.
/// </remarks>
internal sealed partial class SubscribePath(
    RequestLimiter limits,
    TopicAccess access,
    TopicCatalog topics,
    HookPipeline<SubscribeContext> hooks,
    SubscribeStart starts,
    FeedRegistry feeds,
    RealtimeInstruments instruments,
    IOptions<RealtimeOptions> options,
    TimeProvider time,
    ILogger<SubscribePath> logger,
    SignalWatch? signals = null,
    IPresence? presence = null)
{
    private const int MaxAttempts = 5;
    private const int Parallel = 4;
    private const int MaxManyBytes = 8 * 1024 * 1024;

    private static readonly TimeSpan CatchUpTime = TimeSpan.FromMilliseconds(30);

    private readonly int _maxMany = options.Value.Limits.SubscriptionsPerConnection;

    /// <param name="connection">Who subscribes.</param>
    /// <param name="request">Untrusted; every member is validated here.</param>
    /// <param name="cancellationToken">Ends with the connection.</param>
    /// <exception cref="RealtimeException">Refused or failed, with a code.</exception>
    public async Task<SubscribeAnswer> SubscribeAsync(Connection connection, SubscribeRequest request, CancellationToken cancellationToken)
    {
        var name = TopicName.Parse(request.Topic);
        var policy = PolicyOf(connection.Caller, name);
        var topic = new TopicKey(connection.Caller.Tenant, name);
        SubscribeForm.Validate(request, policy);

        // 1.
        limits.Admit(connection.Caller);
        var announced = connection.Announce(topic);
        try
        {
            // 2.
            RequireRight(connection.Caller, request, policy, name);
            return hooks.Covers(connection.Caller, name)
                ? await PassAsync(connection, topic, announced, request, policy, cancellationToken)
                : await SubscribeAsync(connection, topic, announced, request, policy, cancellationToken);
        }
        finally
        {
            connection.Withdraw(topic, announced);
        }
    }

    /// <summary>Hooks: what the application has to say, which may change what was asked for, but not the topic.</summary>
    private async Task<SubscribeAnswer> PassAsync(
        Connection connection, TopicKey topic, object announced, SubscribeRequest request, TopicPolicy policy, CancellationToken cancellationToken)
    {
        SubscribeAnswer? answer = null;
        var context = new SubscribeContext(topic.Tenant, connection.Caller.UserId, topic.Name.Value, request, hooks.Services, cancellationToken);
        await hooks.RunAsync(
            context,
            connection.Caller,
            topic.Name,
            async () => answer = await SubscribeAsync(connection, topic, announced, context.Request ?? request, policy, cancellationToken));
        return answer!;
    }

    /// <summary>3. to 7.</summary>
    private async Task<SubscribeAnswer> SubscribeAsync(
        Connection connection, TopicKey topic, object announced, SubscribeRequest request, TopicPolicy policy, CancellationToken cancellationToken)
    {
        var chosen = SubscribeForm.Validate(request, policy);
        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            if (await AttachAndJoinAsync(new Subscription(connection, topic, chosen), announced, request, policy, cancellationToken) is { } answer)
            {
                instruments.Recovered(topic.Tenant, answer.Recovery, answer.Events.Count);
                if (answer.Position == Position.Origin && policy.Durability is not Durability.Ephemeral)
                {
                    signals?.FoundNothing(connection.Caller, topic.Name);
                }

                return answer;
            }
        }

        throw new RealtimeException(ErrorCode.Overloaded, "The topic moves faster than it can be read; try again.");
    }

    /// <summary>
    /// Subscribes to several topics, some at a time. When the reply has grown large, topics that have yet to be recovered say
    /// that there is more, from where they are.
    /// </summary>
    /// <exception cref="RealtimeException"><c>batch_empty</c>, <c>batch_too_large</c>, <c>overloaded</c>.</exception>
    public async Task<SubscribeResult[]> SubscribeManyAsync(Connection connection, IReadOnlyList<SubscribeRequest?> requests, CancellationToken cancellationToken)
    {
        if (requests.Count == 0 || requests.Count > _maxMany)
        {
            throw new RealtimeException(requests.Count == 0 ? ErrorCode.BatchEmpty : ErrorCode.BatchTooLarge);
        }

        // One reply of that size at a time for each connection: it may wait long for its reader.
        if (!connection.TryBeginMany())
        {
            throw new RealtimeException(ErrorCode.Overloaded, "Another subscribe to many topics of this connection is still under way.");
        }

        try
        {
            return await SubscribeEachAsync(connection, requests, cancellationToken);
        }
        finally
        {
            connection.EndMany();
        }
    }

    private async Task<SubscribeResult[]> SubscribeEachAsync(Connection connection, IReadOnlyList<SubscribeRequest?> requests, CancellationToken cancellationToken)
    {
        var results = new SubscribeResult[requests.Count];
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var isRepeated = requests.Select(request => request?.Topic is { } topic && !seen.Add(topic)).ToArray();
        var bytes = 0L;
        var atOnce = new ParallelOptions { MaxDegreeOfParallelism = Parallel, CancellationToken = cancellationToken };
        await System.Threading.Tasks.Parallel.ForAsync(0, requests.Count, atOnce, async (i, cancelled) =>
        {
            try
            {
                var request = requests[i] is { } given && !isRepeated[i]
                    ? given
                    : throw new RealtimeException(ErrorCode.RequestInvalid, "Each element is a subscribe of another topic.");
                var answer = Interlocked.Read(ref bytes) > MaxManyBytes ? Postpone(connection, request) : await SubscribeAsync(connection, request, cancelled);
                Interlocked.Add(ref bytes, answer.Events.Sum(encoded => (long)encoded.Json.Length));
                results[i] = new SubscribeResult(answer, null);
            }
            catch (RealtimeException exception)
            {
                results[i] = new SubscribeResult(null, exception.ToBody());
            }
            // The others are answered all the same.
#pragma warning disable CA1031
            catch (Exception exception) when (exception is not OperationCanceledException)
#pragma warning restore CA1031
            {
                LogFailed(exception, i);
                results[i] = new SubscribeResult(null, new RealtimeException(ErrorCode.Internal).ToBody());
            }
        });
        return results;
    }

    /// <summary>What is live, and what can be recovered from a position, is one right; to look back from now is another, and so is to see who is there.</summary>
    private void RequireRight(Caller caller, SubscribeRequest request, TopicPolicy policy, TopicName name)
    {
        try
        {
            access.RequireSubscribe(caller, policy, name);
            if (request.Rewind is { Since: not null } or { Count: > 0 })
            {
                access.RequireHistory(caller, policy, name);
            }

            if (SubscribeForm.PresenceOf(request.Presence, policy) is not PresenceMode.None)
            {
                access.RequirePresence(caller, policy, name);
            }
        }
        catch (RealtimeException)
        {
            signals?.Refused(caller, name);
            throw;
        }
    }

    private TopicPolicy PolicyOf(Caller caller, TopicName name)
    {
        try
        {
            return topics.Get(name);
        }
        catch (RealtimeException)
        {
            signals?.Refused(caller, name);
            throw;
        }
    }

    private SubscribeAnswer Postpone(Connection connection, SubscribeRequest request)
    {
        var name = TopicName.Parse(request.Topic);
        var policy = topics.Get(name);
        SubscribeForm.Validate(request, policy);
        RequireRight(connection.Caller, request, policy, name);
        return request.Position is { } position
            ? new SubscribeAnswer(name.Value, position, Recovery.Recovered, [], More: true)
            : throw new RealtimeException(ErrorCode.Overloaded, "The reply is too large; subscribe to fewer topics at once.");
    }

    /// <summary>Leaves nothing attached unless it is live. Null: as <see cref="JoinAsync"/>.</summary>
    private async Task<SubscribeAnswer?> AttachAndJoinAsync(
        Subscription subscription, object announced, SubscribeRequest request, TopicPolicy policy, CancellationToken cancellationToken)
    {
        var isLive = false;
        try
        {
            // 3.
            var feed = await feeds.AttachAsync(subscription, cancellationToken);
            var restarts = feed.Audience.Restarts;
            var start = await starts.ReadAsync(feed, request, policy, subscription.Connection.Caller, cancellationToken);
            var answer = await JoinAsync(feed, subscription, announced, restarts, start, policy, cancellationToken);
            isLive = answer is { More: false } && subscription.Connection.IsSubscribed(subscription);
            if (isLive && policy.Presence)
            {
                presence?.Joined(subscription);
            }

            return answer;
        }
        finally
        {
            if (!isLive)
            {
                subscription.Connection.Drop(subscription, reason: null);
            }
        }
    }

    /// <summary>Null: the feed was reset meanwhile, or cannot be caught up with; attach again.</summary>
    private async Task<SubscribeAnswer?> JoinAsync(
        TopicFeed feed, Subscription subscription, object announced, int restarts, ReadStart start, TopicPolicy policy, CancellationToken cancellationToken)
    {
        var (at, recovery, events, more) = start;
        var added = !more && subscription.Connection.TryAdd(subscription, announced);
        // 2. again: what changes from here on finds the subscription.
        access.RequireSubscribe(subscription.Connection.Caller, policy, subscription.Topic.Name);
        for (var attempt = 0; added && !more && attempt < MaxAttempts; attempt++)
        {
            // 5. and 6.
            if (feed.Audience.TryGoLive(subscription, restarts, ref at, events))
            {
                // 7.
                return Answer();
            }

            if (subscription.HasEnded || feed.Audience.Restarts != restarts)
            {
                break;
            }

            // 4. again: the tail was too short, or the feed knows less than the log and is told.
            if (attempt > 1)
            {
                await Task.Delay(CatchUpTime, time, cancellationToken);
            }

            var page = await SubscribeStart.ReadAfterAsync(feed, at, cancellationToken);
            if (RecoveryDecision.Decide(at, page.Log) is not Recovery.Recovered)
            {
                return null;
            }

            more = SubscribeStart.Take(page, ref at, events);
        }

        // With more to come nothing is live; and a client that has asked for something else meanwhile, for another subscribe
        // or an unsubscribe, gets this answer for good measure.
        return more || !subscription.Connection.IsWanted(subscription.Topic, announced) ? Answer() : null;

        SubscribeAnswer Answer()
        {
            // Never partial: where something is missing, what came while it joined is left out too, and the position is behind it.
            IReadOnlyList<EncodedEvent> told = recovery is Recovery.Gap or Recovery.NewEpoch ? [] : subscription.Conflate(events);
            long? number = subscription.Connection.UsesNumbers && !more ? feed.Number : null;
            return new SubscribeAnswer(subscription.Topic.Name.Value, at, recovery, told, more, Number: number);
        }
    }

    [LoggerMessage(EventId = 1011, Level = LogLevel.Error, Message = "Element {Index} of a subscribe to many topics failed")]
    private partial void LogFailed(Exception exception, int index);
}
