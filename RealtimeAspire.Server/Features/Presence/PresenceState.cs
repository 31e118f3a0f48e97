using System.Collections.Immutable;
using System.Text.Json.Serialization;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Features.Presence;

/// <summary>One connection on a topic, as its node says. Short names: this is what nodes tell each other.</summary>
/// <param name="User">Whose it is.</param>
/// <param name="Transport"><c>hub</c> or <c>sse</c>.</param>
/// <param name="Chosen">What the user has chosen to be.</param>
/// <param name="Text">What he says of it.</param>
/// <param name="ChosenAt">When, in milliseconds: of several the last counts.</param>
/// <param name="Active">Whether somebody uses it.</param>
/// <param name="Data">What there is to say of it: JSON.</param>
/// <param name="Lingers">It is gone, and its user may be about to come back.</param>
internal sealed record PresenceEntry(
    [property: JsonPropertyName("u")] string User,
    [property: JsonPropertyName("t")] string Transport,
    [property: JsonPropertyName("s")] PresenceStatus Chosen = PresenceStatus.Online,
    [property: JsonPropertyName("x")] string? Text = null,
    [property: JsonPropertyName("c")] long ChosenAt = 0,
    [property: JsonPropertyName("a")] bool Active = true,
    [property: JsonPropertyName("d")] string? Data = null,
    [property: JsonPropertyName("l")] bool Lingers = false);

/// <summary>What one node has of a topic. Only that node changes it, so that of two the later one is right.</summary>
/// <param name="Version">Rises with each change; 0 before the first.</param>
/// <param name="Entries">By connection.</param>
internal sealed record PresenceSection(long Version, ImmutableDictionary<Guid, PresenceEntry> Entries)
{
    public static readonly PresenceSection Empty = new(0, ImmutableDictionary<Guid, PresenceEntry>.Empty);
}

/// <summary>How a node's section has changed.</summary>
/// <param name="Previous">Of which version it is the change; 0: of nothing, so that this is all there is.</param>
/// <param name="Version">Of which version the section is afterwards.</param>
/// <param name="Changes">What is there now; null: it is no longer there.</param>
internal sealed record PresenceDelta(
    [property: JsonPropertyName("p")] long Previous,
    [property: JsonPropertyName("v")] long Version,
    [property: JsonPropertyName("c")] IReadOnlyDictionary<Guid, PresenceEntry?> Changes);

/// <summary>
/// Who is on a topic, as far as one node knows: a section of each node. A value. Merging is commutative, associative and idempotent,
/// for of each node the section with the higher version is kept; so whatever was lost, doubled or came late, nodes that have
/// heard the last of each other agree. Who has gone silent is not said here: see <see cref="Without"/>.
/// </summary>
internal sealed class PresenceState
{
    public static readonly PresenceState Empty = new(ImmutableDictionary<long, PresenceSection>.Empty);

    private readonly ImmutableDictionary<long, PresenceSection> _sections;

    private PresenceState(ImmutableDictionary<long, PresenceSection> sections) => _sections = sections;

    /// <summary>Whose sections are known.</summary>
    public IEnumerable<long> Nodes => _sections.Keys;

    /// <summary>A node's section; empty where it has none.</summary>
    public PresenceSection this[long node] => _sections.GetValueOrDefault(node, PresenceSection.Empty);

    public PresenceState Merge(PresenceState other) => other._sections.Aggregate(this, static (state, section) => state.Merge(section.Key, section.Value));

    /// <summary>With a node's section, unless a later one is known.</summary>
    public PresenceState Merge(long node, PresenceSection section) =>
        section.Version > this[node].Version ? new PresenceState(_sections.SetItem(node, section)) : this;

    /// <summary>After a change. One that is known already changes nothing. Null: what was before it is not known; read the section.</summary>
    public PresenceState? Apply(long node, PresenceDelta delta)
    {
        var known = this[node];
        if (delta.Version <= known.Version)
        {
            return this;
        }

        if (delta.Previous != 0 && delta.Previous != known.Version)
        {
            return null;
        }

        var entries = (delta.Previous == 0 ? PresenceSection.Empty.Entries : known.Entries).ToBuilder();
        foreach (var (connection, entry) in delta.Changes)
        {
            if (entry is null)
            {
                entries.Remove(connection);
            }
            else
            {
                entries[connection] = entry;
            }
        }

        return Merge(node, new PresenceSection(delta.Version, entries.ToImmutable()));
    }

    /// <summary>Without a node that is gone. It comes back by its whole section, or not at all.</summary>
    public PresenceState Without(long node) => _sections.ContainsKey(node) ? new PresenceState(_sections.Remove(node)) : this;
}
