using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using RealtimeAspire.Server.Pipeline.Backplane;
using StackExchange.Redis;

namespace RealtimeAspire.Server.Pipeline.Limits;

/// <summary>
/// What tenants may do on all nodes together, without a question to anybody when they do it: once a second each node tells what was
/// asked of it in Redis, reads what the others have told, and takes its share. While Redis is away each has an even part, by the
/// nodes that there were last.
/// </summary>
/// <param name="limits">What there is to divide.</param>
/// <param name="time">Measures.</param>
/// <param name="logger">Told when it begins and ends to be alone.</param>
/// <param name="link">Null: there are no other nodes.</param>
/// <param name="node">This one; null as the link.</param>
internal sealed partial class TenantShares(TenantLimits limits, TimeProvider time, ILogger<TenantShares> logger, RedisLink? link = null, NodeId? node = null)
    : BackgroundService
{
    /// <summary>A node that says nothing for so long is not there.</summary>
    private static readonly TimeSpan SilentTime = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    // One field for each node, "<time in ms>\n" and its report. One key, whatever the number of tenants: one round trip.
    private const string Key = "realtime:limits:nodes";

    private const string Exchange = """
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        redis.call('HSET', KEYS[1], ARGV[1], string.format('%d\n', now) .. ARGV[2])
        redis.call('PEXPIRE', KEYS[1], ARGV[3] * 10)
        local others = {}
        local all = redis.call('HGETALL', KEYS[1])
        for i = 1, #all, 2 do
          local at, report = string.match(all[i + 1], '^(%d+)\n(.*)$')
          if not at or now - tonumber(at) > tonumber(ARGV[3]) then
            redis.call('HDEL', KEYS[1], all[i])
          elseif all[i] ~= ARGV[1] then
            others[#others + 1] = report
          end
        end
        return others
        """;

    // As many as have ever had a valid token here.
    private readonly ConcurrentDictionary<string, TenantUse> _tenants = new(StringComparer.Ordinal);
    private volatile int _nodes = 1;

    // What the other nodes have told; null while they cannot be asked.
    private volatile IReadOnlyList<Dictionary<string, NodeUse>>? _others = [];
    private bool _isAlone;

    /// <summary>How many nodes there are, or were when Redis last answered; this one among them.</summary>
    public int Nodes => _nodes;

    /// <summary>What a tenant uses here.</summary>
    public TenantUse Of(string tenant) => _tenants.TryGetValue(tenant, out var use) ? use : _tenants.GetOrAdd(tenant, Begin);

    /// <summary>One exchange with the other nodes.</summary>
    public async Task ExchangeAsync()
    {
        if (link is null || node is null)
        {
            return;
        }

        var own = _tenants.ToDictionary(tenant => tenant.Key, tenant => tenant.Value.Report(), StringComparer.Ordinal);
        var answer = await link.EvaluateAsync(Exchange, Key, time, node.Value, ReportOf(own), (long)SilentTime.TotalMilliseconds);
        _others = answer is null ? null : Array.ConvertAll((string[])answer!, Read);
        _nodes = _others is { } others ? others.Count + 1 : _nodes;
        foreach (var (tenant, use) in _tenants)
        {
            Divide(tenant, use, own.GetValueOrDefault(tenant));
        }

        Note(isAlone: answer is null);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
            do
            {
                await ExchangeAsync();
            }
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException)
        {
            // The node stops.
        }
    }

    private TenantUse Begin(string tenant)
    {
        var use = new TenantUse();
        Divide(tenant, use, default);
        return use;
    }

    private void Divide(string tenant, TenantUse use, NodeUse own)
    {
        var quota = limits.Of(tenant).PublishesPerSecond;
        if (_others is { } others)
        {
            use.Learn(quota, own, [.. others.Select(other => other.GetValueOrDefault(tenant))], time);
        }
        else
        {
            use.Alone(quota, _nodes, time);
        }
    }

    /// <summary>A line for each tenant that has a limit of all nodes and uses something: names have no blanks.</summary>
    private string ReportOf(Dictionary<string, NodeUse> uses)
    {
        var report = new StringBuilder();
        foreach (var (tenant, use) in uses)
        {
            if (use != default && limits.Of(tenant) is not { PublishesPerSecond: null, Connections: null, Topics: null })
            {
                report.Append(CultureInfo.InvariantCulture, $"{tenant} {use.Asked} {use.Connections} {use.Topics}\n");
            }
        }

        return report.ToString();
    }

    /// <param name="report">Of another node, perhaps of another release: what it says beyond is not read.</param>
    private static Dictionary<string, NodeUse> Read(string report)
    {
        var uses = new Dictionary<string, NodeUse>(StringComparer.Ordinal);
        foreach (var line in report.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.Split(' ') is [var tenant, var asked, var connections, var topics, ..])
            {
                uses[tenant] = new NodeUse(Number(asked), Number(connections), Number(topics));
            }
        }

        return uses;

        static long Number(string text) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0;
    }

    private void Note(bool isAlone)
    {
        if (isAlone != _isAlone)
        {
            _isAlone = isAlone;
            if (isAlone)
            {
                LogAlone(_nodes);
            }
            else
            {
                LogShared(_nodes);
            }
        }
    }

    [LoggerMessage(EventId = 1540, Level = LogLevel.Warning, Message = "Redis does not answer: of the limits that all nodes share this one takes an even part, for {Nodes} nodes")]
    private partial void LogAlone(int nodes);

    [LoggerMessage(EventId = 1541, Level = LogLevel.Information, Message = "Limits are shared by need again, among {Nodes} nodes")]
    private partial void LogShared(int nodes);
}
