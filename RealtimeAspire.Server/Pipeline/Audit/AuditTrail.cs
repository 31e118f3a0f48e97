using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Pipeline.Audit;

/// <summary>An entry on its way to the database.</summary>
/// <param name="Entry">What it says.</param>
/// <param name="Done">Told when it is on record; null where nobody waits for it.</param>
internal sealed record PendingEntry(AuditEntry Entry, TaskCompletionSource? Done);

/// <summary>
/// The record of security-relevant acts. <see cref="Record"/> never waits and never fails; <see cref="RecordAsync"/> is for acts that
/// must be on record before they are done. Without a database, and before its writer has started, both do nothing.
/// </summary>
/// <remarks>What waits is bounded. What finds no room is counted, and the count is itself put on record.</remarks>
internal sealed class AuditTrail : IDisposable
{
    private const int MaxKinds = 4_096;

    /// <summary>How long an act waits to be on record.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly TimeProvider _time;
    private readonly AuditInstruments _instruments;
    private readonly int _capacity;
    private readonly SemaphoreSlim _signal = new(0, 1);
    private readonly Lock _lock = new();

    // Under the lock.
    private readonly Queue<PendingEntry> _waiting = new();
    private readonly Dictionary<string, long> _dropped = new(StringComparer.Ordinal);
    private readonly AuditRepeats _repeats = new(MaxKinds);
    private IReadOnlyList<PendingEntry> _putBack = [];
    private int _inHand;
    private volatile bool _isOpen;

    /// <param name="time">When it is.</param>
    /// <param name="instruments">Count.</param>
    /// <param name="capacity">How many entries may wait.</param>
    public AuditTrail(TimeProvider time, AuditInstruments instruments, int capacity)
    {
        (_time, _instruments, _capacity) = (time, instruments, capacity);
        instruments.ObserveWaiting(() => Waiting);
    }

    /// <summary>How many entries are not yet on record, those in the writer's hand among them.</summary>
    public int Waiting
    {
        get
        {
            lock (_lock)
            {
                return _waiting.Count + _putBack.Count + _inHand;
            }
        }
    }

    /// <summary>Puts an act on record, soon.</summary>
    /// <param name="action">What was done.</param>
    /// <param name="tenant">In whose chain it is; <see cref="AuditEntry.NoTenant"/> where nobody is authenticated yet.</param>
    /// <param name="actor">Who did it.</param>
    /// <param name="target">What it was done to. May be a client's text: it is cut and cleaned.</param>
    /// <param name="code">The outcome: <c>ok</c>, an error's code, or a word.</param>
    /// <param name="source">Where it came from.</param>
    /// <param name="details">A few small facts more. No payload, no secret.</param>
    public void Record(
        AuditAction action,
        string tenant,
        AuditActor actor,
        string? target = null,
        string code = AuditEntry.Ok,
        AuditSource source = default,
        params ReadOnlySpan<(string Name, string Value)> details)
    {
        if (_isOpen)
        {
            Enter(ToEntry(action, tenant, actor, target, code, source, details));
        }
    }

    /// <summary>Puts an act on record before it is done: whoever is to answer for it awaits this first, and acts then.</summary>
    /// <inheritdoc cref="Record" path="/param"/>
    /// <exception cref="RealtimeException"><c>audit_unavailable</c>: it must not be done now.</exception>
    public Task RecordAsync(
        AuditAction action,
        string tenant,
        AuditActor actor,
        string? target = null,
        string code = AuditEntry.Ok,
        AuditSource source = default,
        params ReadOnlySpan<(string Name, string Value)> details)
    {
        if (!_isOpen)
        {
            return Task.CompletedTask;
        }

        var pending = new PendingEntry(
            ToEntry(action, tenant, actor, target, code, source, details), new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        lock (_lock)
        {
            if (!TryEnqueue_NeedsLock(pending))
            {
                return Task.FromException(new RealtimeException(ErrorCode.AuditUnavailable));
            }
        }

        return WaitAsync(pending.Done!.Task);
    }

    /// <summary>From now on entries are taken: there is somebody who writes them.</summary>
    public void Open() => _isOpen = true;

    /// <summary>No more entries are taken; who waits is told.</summary>
    /// <returns>How many entries were left.</returns>
    public int Close()
    {
        PendingEntry[] left;
        long dropped;
        lock (_lock)
        {
            _isOpen = false;
            left = [.. _putBack, .. _waiting];
            _putBack = [];
            _waiting.Clear();
            dropped = _dropped.Values.Sum();
            _dropped.Clear();
        }

        foreach (var pending in left)
        {
            pending.Done?.TrySetException(new RealtimeException(ErrorCode.AuditUnavailable));
        }

        return left.Length + (int)dropped;
    }

    /// <summary>Waits until there is something to write, or the time is over.</summary>
    public Task WaitForEntriesAsync(TimeSpan most, CancellationToken cancellationToken) =>
        _signal.WaitAsync(most, cancellationToken);

    /// <summary>The next entries to write; they count as waiting until <see cref="Finish"/>. For one writer.</summary>
    /// <param name="most">How many.</param>
    /// <param name="all">Also what is still being counted.</param>
    public IReadOnlyList<PendingEntry> Take(int most, bool all = false)
    {
        var now = _time.GetUtcNow();
        lock (_lock)
        {
            foreach (var counted in all ? _repeats.CloseAll(now) : _repeats.Close(now))
            {
                Enqueue_NeedsLock(new PendingEntry(counted with { Id = Guid.CreateVersion7(now) }, Done: null));
            }

            var batch = new List<PendingEntry>(_putBack);
            _putBack = [];
            foreach (var (tenant, count) in _dropped)
            {
                batch.Add(new PendingEntry(Make(now, AuditAction.Dropped, tenant, AuditActor.System) with { Count = count }, Done: null));
            }

            _dropped.Clear();
            while (batch.Count < most && _waiting.TryDequeue(out var pending))
            {
                batch.Add(pending);
            }

            _inHand = batch.Count;
            return batch;
        }
    }

    /// <summary>What was taken has been written.</summary>
    public void Finish()
    {
        lock (_lock)
        {
            _inHand = 0;
        }
    }

    /// <summary>What was taken has not been written, and may be taken once more.</summary>
    public void PutBack(IReadOnlyList<PendingEntry> batch)
    {
        lock (_lock)
        {
            (_putBack, _inHand) = (batch, 0);
        }
    }

    public void Dispose() => _signal.Dispose();

    private void Enter(AuditEntry entry)
    {
        lock (_lock)
        {
            var toWrite = entry.Action.IsHot ? _repeats.Add(entry) : entry;
            if (toWrite is null)
            {
                return;
            }

            Enqueue_NeedsLock(new PendingEntry(toWrite, Done: null));
        }
    }

    private void Enqueue_NeedsLock(PendingEntry pending)
    {
        if (!TryEnqueue_NeedsLock(pending))
        {
            var (tenant, count) = (pending.Entry.Tenant, pending.Entry.Count);
            _dropped[tenant] = _dropped.GetValueOrDefault(tenant) + count;
            _instruments.Dropped(tenant, count);
        }
    }

    private bool TryEnqueue_NeedsLock(PendingEntry pending)
    {
        if (_waiting.Count + _putBack.Count + _inHand >= _capacity)
        {
            return false;
        }

        _waiting.Enqueue(pending);
        if (_signal.CurrentCount == 0)
        {
            _signal.Release();
        }

        return true;
    }

    private async Task WaitAsync(Task done)
    {
        try
        {
            await done.WaitAsync(Patience, _time);
        }
        catch (TimeoutException exception)
        {
            throw new RealtimeException(ErrorCode.AuditUnavailable, ErrorCode.AuditUnavailable.Sentence, exception);
        }
    }

    private AuditEntry ToEntry(
        AuditAction action, string tenant, AuditActor actor, string? target, string code, AuditSource source, ReadOnlySpan<(string Name, string Value)> details) =>
        Make(_time.GetUtcNow(), action, tenant, actor) with
        {
            Target = target is null ? null : AuditEntry.Clean(target),
            Code = AuditEntry.Clean(code),
            Source = source,
            Details = source.Region is { } region ? [.. details, ("region", region)] : details.IsEmpty ? [] : details.ToArray(),
        };

    private static AuditEntry Make(DateTimeOffset at, AuditAction action, string tenant, AuditActor actor) => new()
    {
        Id = Guid.CreateVersion7(at),
        At = at,
        Action = action,
        Tenant = tenant,
        Actor = actor with { Id = AuditEntry.Clean(actor.Id) },
    };
}
