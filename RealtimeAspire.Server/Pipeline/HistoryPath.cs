using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Hooks;
using RealtimeAspire.Server.Pipeline.Limits;
using RealtimeAspire.Server.Pipeline.Signals;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Server.Pipeline;

/// <summary>A page of a topic's past: admit, authorize, ask the application where it has a say, read, say what is missing.</summary>
internal sealed class HistoryPath(
    RequestLimiter limits,
    TopicAccess access,
    Memberships memberships,
    TopicCatalog topics,
    HookPipeline<SubscribeContext> hooks,
    LogCatalog logs,
    IOptions<RealtimeOptions> options,
    SignalWatch? signals = null)
{
    private const int DefaultLimit = 100;

    private readonly int _maxLimit = options.Value.Limits.HistoryEvents;

    /// <param name="caller">Who asks.</param>
    /// <param name="name">The topic.</param>
    /// <param name="after">The oldest events after it; without <paramref name="before"/> too, from the oldest kept.</param>
    /// <param name="before">The newest events before it.</param>
    /// <param name="limit">Untrusted: 1 or more, cut to the server's limit.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException">Refused or failed, with a code.</exception>
    public async Task<HistoryAnswer> ReadAsync(
        Caller caller, TopicName name, Position? after, Position? before, int? limit, CancellationToken cancellationToken)
    {
        if ((after is not null && before is not null) || limit < 1)
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, "Give after or before, not both, and a limit of 1 or more.");
        }

        if (after is { IsWellFormed: false } || before is { IsWellFormed: false })
        {
            throw new RealtimeException(ErrorCode.PositionInvalid);
        }

        var size = Math.Min(limit ?? DefaultLimit, _maxLimit);
        limits.AdmitPage(caller, size);
        var policy = RequireRight(caller, name);
        if (!hooks.Covers(caller, name))
        {
            return await ReadAsync(caller, name, policy, after, before, size, cancellationToken);
        }

        HistoryAnswer? answer = null;
        var context = new SubscribeContext(caller.Tenant, caller.UserId, name.Value, request: null, hooks.Services, cancellationToken);
        await hooks.RunAsync(context, caller, name, async () => answer = await ReadAsync(caller, name, policy, after, before, size, cancellationToken));
        return answer!;
    }

    private async Task<HistoryAnswer> ReadAsync(
        Caller caller, TopicName name, TopicPolicy policy, Position? after, Position? before, int size, CancellationToken cancellationToken)
    {
        // What was there before a member joined is not there for him.
        var horizon = memberships.HorizonOf(caller, name);
        LogRange range = before is { } end ? new LogRange.Before(end.Offset) : new LogRange.After(after?.Offset ?? horizon);
        var read = await limits.ReadInTurnAsync(
            caller, () => logs.Of(policy).ReadAsync(new TopicKey(caller.Tenant, name), range, size, cancellationToken), cancellationToken);
        var page = read.Behind(horizon);
        var recovery = Decide(after, before, page);
        if (recovery is Recovery.Gap or Recovery.NewEpoch)
        {
            return new HistoryAnswer([], page.Tip, recovery, Complete: true);
        }

        var position = page.Events.Count > 0 ? page.Events[^1].Position : before ?? page.Tip;
        var complete = before is null
            ? position.Offset >= page.Tip.Offset
            : page.Events.Count == 0 || page.Events[0].Position.Offset <= page.Floor;
        return new HistoryAnswer([.. page.Events.Select(EncodedEvent.Encode)], position, recovery, complete);
    }

    private TopicPolicy RequireRight(Caller caller, TopicName name)
    {
        try
        {
            var policy = topics.Get(name);
            access.RequireHistory(caller, policy, name);
            return policy;
        }
        catch (RealtimeException)
        {
            signals?.Refused(caller, name);
            throw;
        }
    }

    private static Recovery Decide(Position? after, Position? before, LogPage page) => (after, before) switch
    {
        ({ } start, _) => RecoveryDecision.Decide(start, page),
        (_, { } end) => end != Position.Origin && end.Epoch != page.Tip.Epoch ? Recovery.NewEpoch : Recovery.Recovered,
        _ => Recovery.None,
    };
}
