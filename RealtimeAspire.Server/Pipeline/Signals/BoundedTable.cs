namespace RealtimeAspire.Server.Pipeline.Signals;

/// <summary>What a table keeps of a key.</summary>
internal abstract class TableEntry
{
    /// <summary>How much would be lost with it: the least goes first.</summary>
    public abstract long WeightAt(long now);

    /// <summary>Begins again, for another key.</summary>
    public abstract void Clear();
}

/// <summary>
/// Something about each of many keys that strangers have a choice of. There are only so many: a newcomer takes the place of the least of some
/// that are looked at in turn, so that who comes once does not drive out who comes often. Pure state: no clock and no lock.
/// </summary>
/// <param name="capacity">How many keys there are at most.</param>
internal sealed class BoundedTable<TKey, TEntry>(int capacity)
    where TKey : notnull
    where TEntry : TableEntry, new()
{
    private const int Looks = 8;

    private readonly Dictionary<TKey, int> _places = [];
    private readonly List<(TKey Key, TEntry Entry)> _slots = [];
    private int _hand;

    public int Count => _slots.Count;

    /// <summary>The key's entry, perhaps a new one.</summary>
    public TEntry Of(TKey key, long now)
    {
        if (_places.TryGetValue(key, out var place))
        {
            return _slots[place].Entry;
        }

        if (_slots.Count < capacity)
        {
            _places[key] = _slots.Count;
            _slots.Add((key, new TEntry()));
            return _slots[^1].Entry;
        }

        place = LeastOfSome(now);
        var (former, entry) = _slots[place];
        _places.Remove(former);
        entry.Clear();
        _places[key] = place;
        _slots[place] = (key, entry);
        return entry;
    }

    private int LeastOfSome(long now)
    {
        var (least, weight) = (_hand, long.MaxValue);
        for (var look = 0; look < Looks; look++)
        {
            _hand = (_hand + 1) % _slots.Count;
            if (_slots[_hand].Entry.WeightAt(now) is var found && found < weight)
            {
                (least, weight) = (_hand, found);
            }
        }

        return least;
    }
}
