using System.Diagnostics.CodeAnalysis;

namespace RealtimeAspire.Server.Pipeline.Limits;

/// <summary>
/// A line in which tenants take turns, and a tenant's users among themselves: whoever has much waiting holds up nobody but himself. Each
/// user's own order stays. Not thread-safe.
/// </summary>
internal sealed class FairLine<T>
{
    // Users who come and go find what others have left.
    private const int MaxSpare = 256;

    private readonly Dictionary<UserKey, Lane> _lanes = [];
    private readonly Dictionary<string, Tenant> _tenants = new(StringComparer.Ordinal);
    private readonly Queue<Tenant> _turns = new();
    private readonly Stack<Lane> _spare = new();

    public int Count { get; private set; }

    public int CountOf(UserKey user) => _lanes.TryGetValue(user, out var lane) ? lane.Items.Count : 0;

    public int CountOf(string tenant) => _tenants.TryGetValue(tenant, out var known) ? known.Count : 0;

    public void Enter(UserKey user, T item)
    {
        if (!_lanes.TryGetValue(user, out var lane))
        {
            lane = _spare.TryPop(out var spare) ? spare : new Lane();
            lane.User = user;
            _lanes[user] = lane;
            TurnsOf(user.Tenant).Lanes.Enqueue(lane);
        }

        lane.Items.Enqueue(item);
        _tenants[user.Tenant].Count++;
        Count++;
    }

    public bool TryTake([MaybeNullWhen(false)] out T item)
    {
        if (!_turns.TryDequeue(out var tenant))
        {
            item = default;
            return false;
        }

        var lane = tenant.Lanes.Dequeue();
        item = lane.Items.Dequeue();
        Count--;
        tenant.Count--;
        if (lane.Items.Count > 0)
        {
            tenant.Lanes.Enqueue(lane);
        }
        else
        {
            Leave(lane);
        }

        if (tenant.Count > 0)
        {
            _turns.Enqueue(tenant);
        }
        else
        {
            _tenants.Remove(tenant.Name);
        }

        return true;
    }

    private Tenant TurnsOf(string name)
    {
        if (!_tenants.TryGetValue(name, out var tenant))
        {
            _tenants[name] = tenant = new Tenant(name);
            _turns.Enqueue(tenant);
        }

        return tenant;
    }

    private void Leave(Lane lane)
    {
        _lanes.Remove(lane.User);
        if (_spare.Count < MaxSpare && lane.Items.Capacity <= MaxSpare)
        {
            _spare.Push(lane);
        }
    }

    private sealed class Lane
    {
        public UserKey User { get; set; }

        public Queue<T> Items { get; } = new();
    }

    private sealed class Tenant(string name)
    {
        public string Name => name;

        public int Count { get; set; }

        /// <summary>Those with something in them.</summary>
        public Queue<Lane> Lanes { get; } = new();
    }
}
