using System.Net;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using RealtimeAspire.Server.Observability;

namespace RealtimeAspire.Server.Pipeline.Limits;

/// <summary>How often an address range may come to the door, whoever it says it is.</summary>
internal sealed class ConnectLimiter(IOptions<RealtimeOptions> options, IHostEnvironment environment, LimitInstruments instruments, TimeProvider time)
{
    private readonly LimitOptions _limits = options.Value.Limits;
    private readonly BucketSet<AddressRange> _ranges = new(time);
    private readonly BucketRate? _rate = LimitOptions.Limited(options.Value.Limits.ConnectsPerSecond, LimitOptions.DefaultConnectsPerSecond, environment) is { } rate
        ? BucketRate.Of(rate, options.Value.Limits.ConnectBurst, time)
        : null;

    // For those who are slowed where nobody else is.
    private readonly BucketRate _slowRate = BucketRate.Of(LimitOptions.DefaultConnectsPerSecond, options.Value.Limits.ConnectBurst, time);

    public AddressRange RangeOf(IPAddress? address) => AddressRange.Of(address, _limits.AddressPrefixV4, _limits.AddressPrefixV6);

    /// <param name="address">From where.</param>
    /// <param name="cost">How many connects it counts as.</param>
    /// <returns>Null: it may come in. Otherwise after which time it may.</returns>
    public TimeSpan? Take(IPAddress? address, int cost = 1)
    {
        var wait = (_rate ?? (cost > 1 ? _slowRate : null)) is { } rate ? _ranges.Take(RangeOf(address), rate, cost) : null;
        if (wait is not null)
        {
            instruments.Refused(LimitNames.Connects, tenant: null);
        }

        return wait;
    }
}
