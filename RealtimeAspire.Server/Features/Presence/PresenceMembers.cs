using System.Text.Json;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Features.Presence;

/// <summary>A member, and how he is told.</summary>
internal sealed record FoldedMember(PresentUser Member, string Json)
{
    /// <summary>
    /// Many connections are one member. What the user has chosen last counts before what his devices say. Connections that linger are
    /// there only where no other is: who has come back has not been away, and who may yet come looks as he did.
    /// </summary>
    public static FoldedMember Of(IReadOnlyDictionary<Guid, PresenceEntry> connections)
    {
        var here = connections.Any(static one => !one.Value.Lingers) ? connections.Where(static one => !one.Value.Lingers) : connections;
        var ordered = here.OrderBy(static one => one.Key).Select(static one => one.Value).ToArray();
        var said = connections.Values.MaxBy(static entry => (entry.ChosenAt, entry.Chosen, entry.Text ?? ""))!;
        var status = said.Chosen is not PresenceStatus.Online ? said.Chosen
            : Array.Exists(ordered, static entry => entry.Active) ? PresenceStatus.Online : PresenceStatus.Away;
        var told = Array.ConvertAll(ordered, static entry => new PresentConnection(entry.Transport, entry.Active, entry.Data is { } data ? JsonElement.Parse(data) : null));
        var member = new PresentUser(said.User, status, told, said.Text);
        return new FoldedMember(member, JsonSerializer.Serialize(member, RealtimeJson.Default.PresentUser));
    }
}

/// <summary>What has changed among the members since it was last asked for.</summary>
internal sealed record PresenceChanges(IReadOnlyList<FoldedMember> Joined, IReadOnlyList<FoldedMember> Updated, IReadOnlyList<string> Left)
{
    public bool Any => Joined.Count + Updated.Count + Left.Count > 0;
}

/// <summary>
/// The members of a topic, kept up with its <see cref="PresenceState"/> at the cost of what changes. No clock, no lock, no I/O.
/// </summary>
internal sealed class PresenceMembers
{
    private readonly Dictionary<string, Dictionary<Guid, PresenceEntry>> _byUser = new(StringComparer.Ordinal);
    private readonly Dictionary<string, FoldedMember> _members = new(StringComparer.Ordinal);
    private readonly HashSet<string> _touched = new(StringComparer.Ordinal);
    private string[]? _sorted;

    public PresenceState State { get; private set; } = PresenceState.Empty;

    /// <summary>As of the last <see cref="Take"/>.</summary>
    public Occupancy Occupancy { get; private set; } = new(0, 0);

    /// <summary>As of the last <see cref="Take"/>, by name.</summary>
    public IEnumerable<FoldedMember> All => Sorted.Select(user => _members[user]);

    private string[] Sorted => _sorted ??= [.. _members.Keys.Order(StringComparer.Ordinal)];

    /// <summary>So many of those behind a user, by name, as of the last <see cref="Take"/>.</summary>
    public PresencePage Page(string? after, int limit)
    {
        var first = after is null ? 0 : Array.BinarySearch(Sorted, after, StringComparer.Ordinal);
        first = after is null ? 0 : first < 0 ? ~first : first + 1;
        var last = Math.Min(Sorted.Length, first + limit);
        return new PresencePage([.. Sorted[first..last].Select(user => _members[user].Member)], Occupancy, last == Sorted.Length);
    }

    /// <summary>A node's whole section.</summary>
    public void Merge(long node, PresenceSection section) => Move(node, State.Merge(node, section));

    public void Drop(long node) => Move(node, State.Without(node));

    /// <summary>False: something before it is missing, and nothing has changed; read the section.</summary>
    public bool TryApply(long node, PresenceDelta delta)
    {
        if (delta.Previous == 0)
        {
            Move(node, State.Apply(node, delta)!);
            return true;
        }

        var before = State[node];
        if (State.Apply(node, delta) is not { } after)
        {
            return false;
        }

        if (!ReferenceEquals(after, State))
        {
            foreach (var connection in delta.Changes.Keys)
            {
                Replace(connection, before.Entries.GetValueOrDefault(connection), after[node].Entries.GetValueOrDefault(connection));
            }

            State = after;
        }

        return true;
    }

    /// <summary>Who has come, changed or gone since the last time.</summary>
    public PresenceChanges Take()
    {
        List<FoldedMember> joined = [];
        List<FoldedMember> updated = [];
        List<string> left = [];
        var connections = Occupancy.Connections;
        foreach (var user in _touched)
        {
            var before = _members.GetValueOrDefault(user);
            connections -= before?.Member.Connections.Count ?? 0;
            if (!_byUser.TryGetValue(user, out var entries))
            {
                if (_members.Remove(user))
                {
                    left.Add(user);
                }

                continue;
            }

            var now = FoldedMember.Of(entries);
            connections += now.Member.Connections.Count;
            _members[user] = now;
            if (before is null)
            {
                joined.Add(now);
            }
            else if (before.Json != now.Json)
            {
                updated.Add(now);
            }
        }

        _touched.Clear();
        _sorted = joined.Count + left.Count > 0 ? null : _sorted;
        Occupancy = new Occupancy(connections, _members.Count);
        return new PresenceChanges(joined, updated, left);
    }

    /// <summary>To a state that differs in one node's section.</summary>
    private void Move(long node, PresenceState next)
    {
        if (ReferenceEquals(next, State))
        {
            return;
        }

        var (before, after) = (State[node].Entries, next[node].Entries);
        foreach (var (connection, entry) in before)
        {
            if (!after.ContainsKey(connection))
            {
                Replace(connection, entry, null);
            }
        }

        foreach (var (connection, entry) in after)
        {
            Replace(connection, before.GetValueOrDefault(connection), entry);
        }

        State = next;
    }

    private void Replace(Guid connection, PresenceEntry? before, PresenceEntry? after)
    {
        if (before == after)
        {
            return;
        }

        if (before is not null && _byUser.TryGetValue(before.User, out var former))
        {
            _touched.Add(before.User);
            former.Remove(connection);
            if (former.Count == 0)
            {
                _byUser.Remove(before.User);
            }
        }

        if (after is not null)
        {
            _touched.Add(after.User);
            if (!_byUser.TryGetValue(after.User, out var entries))
            {
                _byUser[after.User] = entries = [];
            }

            entries[connection] = after;
        }
    }
}
