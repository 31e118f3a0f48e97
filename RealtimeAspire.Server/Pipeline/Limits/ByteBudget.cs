using System.Collections.Concurrent;

namespace RealtimeAspire.Server.Pipeline.Limits;

/// <summary>
/// Bounds what waits somewhere by its bytes, where clients decide how large it is. Thread-safe; never waits.
/// </summary>
/// <param name="capacity">The most that may be taken.</param>
/// <param name="whole">Of what this is a part; nothing is taken here that is not there. An empty part lets any one thing through.</param>
internal sealed class ByteBudget(long capacity, ByteBudget? whole = null)
{
    private long _taken;

    public long Taken => Interlocked.Read(ref _taken);

    /// <summary>False: there is no room, and nothing was taken.</summary>
    public bool TryTake(long bytes)
    {
        var taken = Interlocked.Add(ref _taken, bytes);
        if ((taken <= capacity || (whole is not null && taken == bytes)) && whole?.TryTake(bytes) is not false)
        {
            return true;
        }

        Interlocked.Add(ref _taken, -bytes);
        return false;
    }

    public void Release(long bytes)
    {
        Interlocked.Add(ref _taken, -bytes);
        whole?.Release(bytes);
    }
}

/// <summary>A budget of which no user and no tenant may have more than a part. Thread-safe; never waits.</summary>
/// <param name="capacity">The whole.</param>
/// <param name="userPart">Of a user; code of the server itself has none.</param>
/// <param name="tenantPart">Of a tenant.</param>
internal sealed class PartedBudget(long capacity, double userPart, double tenantPart)
{
    private const int FirstSweep = 1_024;

    private readonly ByteBudget _whole = new(capacity);
    private readonly ConcurrentDictionary<string, ByteBudget> _tenants = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<UserKey, ByteBudget> _users = new();
    private int _count;
    private int _sweepAt = FirstSweep;

    public ByteBudget Of(UserKey user)
    {
        if (user.UserId.Length == 0)
        {
            return Of(user.Tenant);
        }

        return _users.TryGetValue(user, out var known) ? known : Add(user);
    }

    private ByteBudget Of(string tenant) => _tenants.TryGetValue(tenant, out var known)
        ? known
        : _tenants.GetOrAdd(tenant, static (_, of) => new ByteBudget((long)(of.Capacity * of.Part), of.Whole), (Capacity: capacity, Part: tenantPart, Whole: _whole));

    private ByteBudget Add(UserKey user)
    {
        if (Interlocked.Increment(ref _count) > Volatile.Read(ref _sweepAt))
        {
            Sweep();
        }

        return _users.GetOrAdd(user, new ByteBudget((long)(capacity * userPart), Of(user.Tenant)));
    }

    /// <summary>Who has nothing waiting needs none. One that is taken from at this moment may count once too little.</summary>
    private void Sweep()
    {
        foreach (var (user, budget) in _users)
        {
            if (budget.Taken == 0)
            {
                _users.TryRemove(KeyValuePair.Create(user, budget));
            }
        }

        var rest = _users.Count;
        Volatile.Write(ref _count, rest);
        Volatile.Write(ref _sweepAt, Math.Max(FirstSweep, rest * 2));
    }
}
