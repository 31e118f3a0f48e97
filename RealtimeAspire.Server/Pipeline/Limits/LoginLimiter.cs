using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using RealtimeAspire.Server.Observability;
using RealtimeAspire.Server.Pipeline.Backplane;

namespace RealtimeAspire.Server.Pipeline.Limits;

/// <summary>
/// How often somebody may try to sign in: by the name that is tried and by where it is tried from, on all nodes together. The counts are in
/// Redis; while that is away each node counts by itself, and admits an even part.
/// </summary>
/// <param name="options">The rates.</param>
/// <param name="environment">In development there are none unless they are set.</param>
/// <param name="shares">Knows how many nodes there are.</param>
/// <param name="instruments">Count.</param>
/// <param name="time">Measures.</param>
/// <param name="link">Null: there are no other nodes.</param>
internal sealed class LoginLimiter(
    IOptions<RealtimeOptions> options, IHostEnvironment environment, TenantShares shares, LimitInstruments instruments, TimeProvider time, RedisLink? link = null)
{
    private const double SecondsPerMinute = 60;
    private const int KeyLength = 32;

    // A bucket in one number, as TokenBucket.
    private const string Take = """
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        local interval, window = tonumber(ARGV[1]), tonumber(ARGV[2])
        local next = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now) + interval
        if next - now > window then
          return next - now - window
        end
        redis.call('SET', KEYS[1], string.format('%d', next), 'PX', string.format('%d', next - now))
        return 0
        """;

    private readonly BucketSet<string> _here = new(time);
    private readonly int? _perUser = LimitOptions.Limited(options.Value.Limits.LoginsPerMinute, LimitOptions.DefaultLoginsPerMinute, environment);
    private readonly int? _perAddress = LimitOptions.Limited(options.Value.Limits.AddressLoginsPerMinute, LimitOptions.DefaultAddressLoginsPerMinute, environment);

    /// <param name="tenant">Where.</param>
    /// <param name="user">As whom; untrusted, any text.</param>
    /// <param name="addresses">From where.</param>
    /// <returns>Null: it may be tried. Otherwise after which time it may.</returns>
    public async Task<TimeSpan?> TryAsync(string tenant, string user, AddressRange addresses)
    {
        // The address first: one that has tried too often does not lock others' names any more.
        if (_perAddress is { } perAddress && await TakeAsync($"realtime:logins:address:{addresses}", perAddress) is { } addressWait)
        {
            instruments.Refused(LimitNames.AddressLogins, tenant);
            return addressWait;
        }

        if (_perUser is { } perUser && await TakeAsync($"realtime:logins:user:{HashOf(tenant, user)}", perUser) is { } userWait)
        {
            instruments.Refused(LimitNames.UserLogins, tenant);
            return userWait;
        }

        return null;
    }

    private async Task<TimeSpan?> TakeAsync(string key, int perMinute)
    {
        var interval = (long)(TimeSpan.FromMinutes(1) / perMinute).TotalMilliseconds;
        if (link is not null && await link.EvaluateAsync(Take, key, time, interval, interval * perMinute) is { } answer)
        {
            return (long)answer is var wait and > 0 ? TimeSpan.FromMilliseconds(wait) : null;
        }

        var share = Math.Max(1, (double)perMinute / shares.Nodes);
        return _here.Take(key, BucketRate.Of(share / SecondsPerMinute, share, time));
    }

    /// <summary>No name of anybody stands in Redis, and none can be chosen so that it is another's.</summary>
    private static string HashOf(string tenant, string user) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{tenant}\n{user}")))[..KeyLength];
}
