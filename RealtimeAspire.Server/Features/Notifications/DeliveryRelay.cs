using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace RealtimeAspire.Server.Features.Notifications;

/// <summary>
/// Tells of notifications on other channels, when nobody has heard of them by then. All nodes do so at once; <see cref="DeliveryStore"/> sees to it that nothing is
/// sent twice to one channel.
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

    private readonly NotificationOptions _options = options.Value;
    private readonly Poll _poll = new(TimeSpan.FromMilliseconds(options.Value.PollMs), time);

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

        await _poll.RunAsync(StepAsync, LogFailed, stoppingToken);
    }

    /// <returns>Whether there may be more.</returns>
    internal async Task<bool> StepAsync(CancellationToken cancellationToken)
    {
        foreach (var (tenant, channel) in await store.GiveUpAsync(cancellationToken))
        {
            instruments.Delivery(tenant, channel, "unknown");
        }

        var names = channels.Names;
        var claimed = names.Length == 0 ? [] : await store.ClaimAsync(names, _options.AtOnce, Lease, cancellationToken);
        // What has begun is ended, also when the node stops: it has its own time limit.
        await Task.WhenAll(claimed.Select(delivery => ServeAsync(delivery)));
        return claimed.Count == _options.AtOnce;
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
}
