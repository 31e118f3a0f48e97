using System.Collections.Concurrent;
using System.ComponentModel.DataAnnotations;
using System.Net;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Observability;

namespace RealtimeAspire.Server.Pipeline.Limits;

/// <summary>What holds for a region: the section <c>Realtime:Limits:Regions:{region}</c>.</summary>
internal sealed class RegionOptions
{
    /// <summary>How often its addresses together may connect per second on this node, or come for a token, with a burst of five seconds; 0: any number. Default: 0.</summary>
    [Range(0, 1_000_000)]
    public int ConnectsPerSecond { get; set; }

    /// <summary>How many connections this node has of it at most; 0: any number. Default: 0.</summary>
    [Range(0, 10_000_000)]
    public int Connections { get; set; }

    /// <summary>Whether it is refused. Default: false.</summary>
    public bool Block { get; set; }
}

/// <summary>The regions as the operator's file has them. It is read before the node answers anybody, and again when it has changed.</summary>
internal sealed partial class Regions(IOptions<RealtimeOptions> options, TimeProvider time, ILogger<Regions> logger) : BackgroundService
{
    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(2);

    private readonly string? _path = options.Value.Limits.RegionsFile;
    private volatile RegionMap _map = RegionMap.Empty;
    private (DateTime, long) _read;

    /// <summary>Whether there are any to know.</summary>
    public bool Exist => _path is not null;

    /// <summary>The region of an address; null: it has none.</summary>
    public string? Of(IPAddress? address) => _map.Of(address);

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        Look();
        return base.StartAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (_path is null)
        {
            return;
        }

        using var look = new PeriodicTimer(LookInterval, time);
        try
        {
            while (await look.WaitForNextTickAsync(stoppingToken))
            {
                Look();
            }
        }
        catch (OperationCanceledException)
        {
            // The node stops.
        }
    }

    /// <summary>Reads the file if it is another one; what was known counts on where that cannot be.</summary>
    public void Look()
    {
        if (_path is null)
        {
            return;
        }

        var file = new FileInfo(_path);
        var found = file.Exists ? (file.LastWriteTimeUtc, file.Length) : default;
        if (found == _read)
        {
            return;
        }

        _read = found;
        try
        {
            _map = RegionFile.Read(_path);
            var names = _map.Names;
            LogRead(_path, names.Count);
            foreach (var name in options.Value.Limits.Regions.Keys.Where(name => !names.Contains(name)))
            {
                LogNoSuchRegion(name, _path);
            }
        }
        catch (Exception exception) when (exception is FormatException or IOException or UnauthorizedAccessException)
        {
            LogUnread(exception.Message);
        }
    }

    [LoggerMessage(EventId = 1630, Level = LogLevel.Information, Message = "{Path} has been read: {Count} regions")]
    private partial void LogRead(string path, int count);

    [LoggerMessage(EventId = 1631, Level = LogLevel.Warning, Message = "Realtime:Limits:Regions:{Region}: there is no such region in {Path}")]
    private partial void LogNoSuchRegion(string region, string path);

    [LoggerMessage(EventId = 1632, Level = LogLevel.Error, Message = "The regions cannot be read, and stay as they were: {Reason}")]
    private partial void LogUnread(string reason);
}

/// <summary>Holds regions to what the configuration says of them.</summary>
internal sealed class RegionLimiter(IOptions<RealtimeOptions> options, LimitInstruments instruments, TimeProvider time)
{
    private const int BurstSeconds = 5;

    // Nobody knows when one will go.
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(5);

    private readonly Dictionary<string, Region> _regions = options.Value.Limits.Regions.ToDictionary(
        region => region.Key, region => new Region(region.Value), StringComparer.Ordinal);

    /// <param name="region">Where a request comes from; null: nobody knows.</param>
    /// <param name="isConnect">Whether it is a connect.</param>
    /// <returns>Why it is refused; null: it is not.</returns>
    public RealtimeException? Refuse(string? region, bool isConnect)
    {
        if (region is null || !_regions.TryGetValue(region, out var known))
        {
            return null;
        }

        if (known.Options.Block)
        {
            instruments.Refused(LimitNames.RegionBlocked, tenant: null, region);
            return new RealtimeException(ErrorCode.RegionBlocked);
        }

        if (isConnect && known.Options.ConnectsPerSecond is > 0 and var perSecond
            && known.Connects.Take(time.GetTimestamp(), BucketRate.Of(perSecond, perSecond * BurstSeconds, time)) is > 0 and var wait)
        {
            instruments.Refused(LimitNames.RegionConnects, tenant: null, region);
            return new RealtimeException(ErrorCode.RateLimited, "Too many connects from this region; wait a little.") { RetryAfter = time.GetElapsedTime(0, wait) };
        }

        return null;
    }

    /// <summary>Counts a connection, unless there are enough.</summary>
    /// <returns>Null: it counts until <see cref="Leave"/>. Otherwise why it does not.</returns>
    public RealtimeException? Enter(string? region)
    {
        if (region is null || !_regions.TryGetValue(region, out var known) || known.TryEnter())
        {
            return null;
        }

        instruments.Refused(LimitNames.RegionConnections, tenant: null, region);
        return new RealtimeException(ErrorCode.TooManyConnections, "There are as many connections from this region as there may be; try again.") { RetryAfter = RetryAfter };
    }

    public void Leave(string? region)
    {
        if (region is not null && _regions.TryGetValue(region, out var known))
        {
            known.Leave();
        }
    }

    private sealed class Region(RegionOptions options)
    {
        private int _connections;

        public RegionOptions Options => options;

        public TokenBucket Connects { get; } = new();

        public bool TryEnter()
        {
            if (Interlocked.Increment(ref _connections) <= (options.Connections == 0 ? int.MaxValue : options.Connections))
            {
                return true;
            }

            Leave();
            return false;
        }

        public void Leave() => Interlocked.Decrement(ref _connections);
    }
}

/// <summary>A file of regions that cannot be read stops the start.</summary>
internal sealed class RegionRequirements : IValidateOptions<RealtimeOptions>
{
    public ValidateOptionsResult Validate(string? name, RealtimeOptions options)
    {
        const string Key = $"{RealtimeOptions.Section}:Limits:RegionsFile";
        if (options.Limits.RegionsFile is not { } path)
        {
            return options.Limits.Regions.Count == 0
                ? ValidateOptionsResult.Success
                : ValidateOptionsResult.Fail($"{Key}: which addresses are of a region of {RealtimeOptions.Section}:Limits:Regions says a file; none is configured.");
        }

        try
        {
            RegionFile.Read(path);
            return ValidateOptionsResult.Success;
        }
        catch (Exception exception) when (exception is FormatException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            return ValidateOptionsResult.Fail($"{Key}: {exception.Message}");
        }
    }
}
