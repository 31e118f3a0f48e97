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

    public AddressRange RangeOf(IPAddress? address) => AddressRange.Of(address, _limits.AddressPrefixV4, _limits.AddressPrefixV6);

    /// <returns>Null: it may come in. Otherwise after which time it may.</returns>
    public TimeSpan? Take(IPAddress? address)
    {
        var wait = _rate is { } rate ? _ranges.Take(RangeOf(address), rate) : null;
        if (wait is not null)
        {
            instruments.Refused(LimitNames.Connects, tenant: null);
        }

        return wait;
    }
}
