using System.Collections.Concurrent;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using RealtimeAspire.Server.Storage;

namespace RealtimeAspire.Server.Features.Notifications;

/// <summary>
/// Tells of notifications on other channels, when nobody has heard of them by then. All nodes do so at once; <see cref="DeliveryStore"/> sees to it that nothing is
/// sent twice to one channel. Each channel has a loop of its own: one that does not answer holds up no other one.
/// </summary>
internal sealed partial class DeliveryRelay(
    DeliveryStore store,
    DeliveryChannels channels,
    NotificationKinds kinds,
    NotificationInstruments instruments,
    IOptions<NotificationOptions> options,
    TimeProvider time,
    ILogger<DeliveryRelay> logger) : BackgroundService
{
    private const string GoneReason = "gone";

    /// <summary>So many places of a channel one user's deliveries have, however many devices he has that do not answer.</summary>
    private const int PerUser = 2;

    private readonly NotificationOptions _options = options.Value;

    private TimeSpan Interval => TimeSpan.FromMilliseconds(_options.PollMs);

    private TimeSpan Lease => TimeSpan.FromSeconds(_options.LeaseSeconds);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        foreach (var channel in channels.All)
        {
            if (channel.Missing is { } missing)
            {
                LogOff(channel.Channel, missing);
            }
            else
            {
                LogOn(channel.Channel);
            }
        }

        var loops = channels.All.Where(channel => channel.Missing is null).Select(channel => RunAsync(channel.Channel, stoppingToken));
        await Task.WhenAll([new Poll(Interval, time).RunAsync(GiveUpAsync, LogFailed, stoppingToken), .. loops]);
    }

    private async Task<bool> GiveUpAsync(CancellationToken cancellationToken)
    {
        foreach (var (tenant, channel) in await store.GiveUpAsync(cancellationToken))
        {
            instruments.Delivery(tenant, channel, "unknown");
        }

        return false;
    }

    private async Task RunAsync(Channel channel, CancellationToken stoppingToken)
    {
        var lane = new Lane(channel, new Poll(Interval, time));
        await lane.Poll.RunAsync(cancellationToken => FillAsync(lane, cancellationToken), LogFailed, stoppingToken);
        // What has begun is ended, also when the node stops: it has its own time limit.
        await Task.WhenAll(lane.Begun);
    }

    /// <summary>Takes on what there is room for; each that ends makes room, and has this looked at again.</summary>
    /// <returns>Whether there may be more.</returns>
    private async Task<bool> FillAsync(Lane lane, CancellationToken cancellationToken)
    {
        lane.Begun.RemoveAll(static task => task.IsCompleted);
        var free = _options.AtOnce - lane.UnderWay.Count;
        if (free == 0)
        {
            return false;
        }

        var claimed = await store.ClaimAsync(lane.Channel, free, lane.UsersWith(PerUser), Lease, cancellationToken);
        foreach (var delivery in claimed)
        {
            lane.UnderWay[delivery.Id] = delivery;
            lane.Begun.Add(ServeAsync(lane, delivery));
        }

        return claimed.Count > 0;
    }

    private async Task ServeAsync(Lane lane, Delivery delivery)
    {
        try
        {
            await ServeAsync(delivery);
        }
        // Whatever it is, it must not take the channel's place with it. Another node looks at the delivery when its lease has run out.
#pragma warning disable CA1031
        catch (Exception exception)
#pragma warning restore CA1031
        {
            LogLeft(delivery.Id, delivery.Tenant, delivery.Channel, exception);
        }
        finally
        {
            lane.UnderWay.TryRemove(delivery.Id, out _);
            lane.Poll.Wake();
        }
    }

    private async Task ServeAsync(Delivery delivery)
    {
        var now = time.GetUtcNow();
        var step = kinds.TryFind(delivery.Kind, out var kind)
            ? Ladder.Decide(delivery.Channel, kind, delivery.Preferences, delivery.Entry, Recipients.DelayOf(delivery.Channel, _options), now)
            : LadderStep.Not(Ladder.Off);
        if (step.Never is { } why)
        {
            await SettleAsync(delivery, "cancelled", why);
        }
        else if (step.At > now)
        {
            await SettleAsync(delivery, "waiting", reason: null, step.At);
        }
        else if (delivery.Channel is Channel.Push ? delivery.Target is null : delivery.Email is null)
        {
            await SettleAsync(delivery, "cancelled", GoneReason);
        }
        else if (await store.BeginAsync(delivery, Lease, CancellationToken.None))
        {
            await ConcludeAsync(delivery, await SendAsync(delivery));
        }
        else
        {
            // It was read or acknowledged this moment, which the next look at it finds; or this node has lost its lease, then nothing happens here.
            await SettleAsync(delivery, "waiting", reason: null, now);
        }
    }

    private async Task<SendOutcome> SendAsync(Delivery delivery)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(_options.SendTimeoutSeconds), time);
        try
        {
            return await channels.Of(delivery.Channel).SendAsync(delivery, limit.Token);
        }
        catch (OperationCanceledException)
        {
            return new SendOutcome.Unknown("there was no answer in time");
        }
        // A library's own; whether it had sent anything by then it does not say.
#pragma warning disable CA1031
        catch (Exception exception)
#pragma warning restore CA1031
        {
            LogFault(delivery.Channel, exception);
            return new SendOutcome.Unknown($"it has failed by {exception.GetType().Name}");
        }
    }

    private async Task ConcludeAsync(Delivery delivery, SendOutcome outcome)
    {
        var attempts = delivery.Attempts + 1;
        switch (outcome)
        {
            case SendOutcome.Sent:
                await SettleAsync(delivery, "sent", reason: null);
                break;
            case SendOutcome.Retry retry when attempts < _options.MaxAttempts:
                var wait = RetryDelay.After(
                    attempts, TimeSpan.FromSeconds(_options.FirstRetrySeconds), TimeSpan.FromSeconds(_options.LastRetrySeconds), Random.Shared.NextDouble(), retry.After);
                await SettleAsync(delivery, "waiting", retry.Reason, time.GetUtcNow() + wait);
                break;
            case SendOutcome.Retry retry:
                await SettleAsync(delivery, "dead", retry.Reason);
                break;
            case SendOutcome.Rejected rejected:
                await SettleAsync(delivery, "dead", rejected.Reason);
                break;
            case SendOutcome.Gone:
                await store.RemoveTargetAsync(delivery, CancellationToken.None);
                await SettleAsync(delivery, "cancelled", GoneReason);
                break;
            case SendOutcome.Unknown unknown:
                await SettleAsync(delivery, "unknown", unknown.Reason);
                break;
        }
    }

    private async Task SettleAsync(Delivery delivery, string state, string? reason, DateTimeOffset? due = null)
    {
        await store.SettleAsync(delivery, state, reason, due, CancellationToken.None);
        if (state is not "waiting" || reason is not null)
        {
            instruments.Delivery(delivery.Tenant, Names.Of(delivery.Channel), state is "waiting" ? "retry" : state);
        }

        if (state is "dead" or "unknown")
        {
            LogDead(delivery.Id, delivery.Tenant, delivery.Channel, state, reason!);
        }
    }

    [LoggerMessage(EventId = 1710, Level = LogLevel.Information, Message = "Notifications are told on the channel {Channel}")]
    private partial void LogOn(Channel channel);

    [LoggerMessage(EventId = 1711, Level = LogLevel.Information, Message = "Notifications are not told on the channel {Channel}: {Missing}")]
    private partial void LogOff(Channel channel, string missing);

    [LoggerMessage(EventId = 1712, Level = LogLevel.Warning, Message = "Notifications cannot be told on other channels at the moment; they wait: {Reason}")]
    private partial void LogFailed(string reason);

    [LoggerMessage(EventId = 1713, Level = LogLevel.Error, Message = "The channel {Channel} has failed")]
    private partial void LogFault(Channel channel, Exception exception);

    [LoggerMessage(EventId = 1714, Level = LogLevel.Warning, Message = "The delivery {Delivery} of {Tenant} on {Channel} is {State}: {Reason}")]
    private partial void LogDead(long delivery, string tenant, Channel channel, string state, string reason);

    [LoggerMessage(EventId = 1715, Level = LogLevel.Warning, Message = "The delivery {Delivery} of {Tenant} on {Channel} is left until its lease has run out")]
    private partial void LogLeft(long delivery, string tenant, Channel channel, Exception exception);

    /// <summary>A channel, and what is under way on it.</summary>
    private sealed class Lane(Channel channel, Poll poll)
    {
        public Channel Channel => channel;

        public Poll Poll => poll;

        /// <summary>By their ids. They take themselves out when they end.</summary>
        public ConcurrentDictionary<long, Delivery> UnderWay { get; } = new();

        /// <summary>Only the channel's loop touches it.</summary>
        public List<Task> Begun { get; } = [];

        public (string Tenant, string User)[] UsersWith(int deliveries) =>
            [.. UnderWay.Values.GroupBy(delivery => (delivery.Tenant, delivery.User)).Where(own => own.Count() >= deliveries).Select(own => own.Key)];
    }
}
