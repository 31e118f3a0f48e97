namespace RealtimeAspire.Server.Features.Presence;

/// <summary>
/// Which nodes are alive: those whose leases Redis knows. After anything that may have made it forget leases, nobody counts as gone for
/// the time of one: whoever lives says so before that.
/// </summary>
/// <param name="beat">This node lives, and who else does; null: it could not be said.</param>
/// <param name="lease">How long a node may be silent.</param>
/// <param name="time">Measures.</param>
internal sealed class PresenceLeases(Func<Task<(bool WasKnown, IReadOnlySet<long> Nodes)?>> beat, TimeSpan lease, TimeProvider time)
{
    private readonly Lock _lock = new();

    // Under the lock.
    private IReadOnlySet<long>? _nodes;
    private long _asOf;
    private long? _disturbedAt;

    /// <summary>Redis has forgotten this node: whatever it had there has to be written again.</summary>
    public event Action? Forgotten;

    /// <summary>Whether nodes that live may have yet to say so, and to write again what they have.</summary>
    public bool IsDisturbed
    {
        get
        {
            lock (_lock)
            {
                return IsDisturbed_NeedsLock;
            }
        }
    }

    private bool IsDisturbed_NeedsLock => _disturbedAt is { } at && time.GetElapsedTime(at) < lease;

    public async Task BeatAsync()
    {
        var asOf = time.GetTimestamp();
        var answer = await beat();
        var isForgotten = false;
        lock (_lock)
        {
            isForgotten = answer is { WasKnown: false } && _nodes is not null;
            if (isForgotten || (answer is null && _nodes is not null))
            {
                _disturbedAt = time.GetTimestamp();
            }

            (_nodes, _asOf) = answer is { } told ? (told.Nodes, asOf) : (_nodes, _asOf);
        }

        if (isForgotten)
        {
            Forgotten?.Invoke();
        }
    }

    /// <summary>Whether a node counts as alive.</summary>
    /// <param name="node">Which.</param>
    /// <param name="heardAt">When it was last heard: what was known before that says nothing against it.</param>
    public bool IsAlive(long node, long heardAt = 0)
    {
        lock (_lock)
        {
            return _nodes is null || _nodes.Contains(node) || heardAt > _asOf || IsDisturbed_NeedsLock;
        }
    }
}
