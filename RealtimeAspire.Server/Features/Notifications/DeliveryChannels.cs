namespace RealtimeAspire.Server.Features.Notifications;

/// <summary>A way to tell of a notification beside the inbox.</summary>
internal interface IDeliveryChannel
{
    Channel Channel { get; }

    /// <summary>What is missing in the configuration for it; null: it is on.</summary>
    string? Missing { get; }

    /// <summary>Tells of it once. Fails by its outcome only.</summary>
    /// <param name="delivery">What, and where.</param>
    /// <param name="cancellationToken">There is no more time.</param>
    Task<SendOutcome> SendAsync(Delivery delivery, CancellationToken cancellationToken);
}

/// <summary>What has become of one try.</summary>
internal abstract record SendOutcome
{
    private SendOutcome()
    {
    }

    /// <summary>The other side has taken it.</summary>
    public sealed record Sent : SendOutcome;

    /// <summary>It has certainly not been taken, and may be another time.</summary>
    /// <param name="Reason">For operators; nothing of the notification.</param>
    /// <param name="After">How long the other side asks to wait.</param>
    public sealed record Retry(string Reason, TimeSpan? After = null) : SendOutcome;

    /// <summary>It has not been taken and never will be.</summary>
    /// <param name="Reason">For operators.</param>
    public sealed record Rejected(string Reason) : SendOutcome;

    /// <summary>There is nobody there any more.</summary>
    public sealed record Gone : SendOutcome;

    /// <summary>It may have been taken, or not: sending it again could tell it twice.</summary>
    /// <param name="Reason">For operators.</param>
    public sealed record Unknown(string Reason) : SendOutcome;
}

/// <summary>The channels of this node.</summary>
internal sealed class DeliveryChannels(IEnumerable<IDeliveryChannel> channels)
{
    private readonly IDeliveryChannel[] _all = [.. channels];

    public IReadOnlyList<IDeliveryChannel> All => _all;

    /// <summary>Those that are on, as the database calls them.</summary>
    public string[] Names => [.. _all.Where(channel => channel.Missing is null).Select(channel => Notifications.Names.Of(channel.Channel))];

    public bool IsOn(Channel channel) => Array.Exists(_all, one => one.Channel == channel && one.Missing is null);

    public IDeliveryChannel Of(Channel channel) => Array.Find(_all, one => one.Channel == channel)!;
}
