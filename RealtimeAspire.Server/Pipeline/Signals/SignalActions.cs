using System.Collections.Concurrent;
using RealtimeAspire.Server.Pipeline.Authorization;

namespace RealtimeAspire.Server.Pipeline.Signals;

/// <summary>
/// What is done at the moment, and about whom. Asked at the door and for each publish, so it answers from memory, and costs one comparison
/// while nothing is done about anybody.
/// </summary>
internal sealed class SignalActions(TimeProvider time)
{
    /// <summary>What a subject that is slowed asks for counts as so many.</summary>
    public const int SlowFactor = 10;

    // Whoever could cause more would only use up what is left for himself: there is no room, and the signal says so.
    private const int Capacity = 10_000;

    private readonly ConcurrentDictionary<SignalSubject, SignalAction> _actions = new();
    private readonly Lock _lock = new();

    // Under the lock: what was lifted, until its time would have been over. Another node may tell of it once more.
    private readonly Dictionary<string, DateTimeOffset> _lifted = new(StringComparer.Ordinal);

    /// <summary>Something is done from now on, here or on another node. Handlers must only enqueue.</summary>
    public event Action<SignalAction>? Began;

    public bool IsEmpty => _actions.IsEmpty;

    public IReadOnlyList<SignalAction> All => [.. _actions.Values.Where(action => action.Until > time.GetUtcNow()).OrderBy(action => action.Id, StringComparer.Ordinal)];

    public IReadOnlyList<LiftedAction> Lifted
    {
        get
        {
            lock (_lock)
            {
                return [.. _lifted.Select(lifted => new LiftedAction(lifted.Key, lifted.Value))];
            }
        }
    }

    /// <summary>What is done about a subject; null: nothing.</summary>
    public SignalAction? Of(SignalSubject subject) => _actions.TryGetValue(subject, out var action) && action.Until > time.GetUtcNow() ? action : null;

    /// <summary>What is done about where something comes from: the most of it.</summary>
    public SignalAction? Of(ClientOrigin? origin) =>
        IsEmpty || origin is null ? null : Most(Most(Of(origin.OfFingerprint), Of(origin.OfFormer)), Of(origin.OfRange));

    /// <summary>What is done about a user, or his tenant.</summary>
    public SignalAction? Of(Caller caller) => IsEmpty || caller.IsServer
        ? null
        : Most(Of(new SignalSubject(SubjectKind.User, caller.Tenant, caller.UserId)), Of(new SignalSubject(SubjectKind.Tenant, caller.Tenant, caller.Tenant)));

    /// <summary>How many what a caller asks for counts as.</summary>
    public int CostOf(Caller caller) => !IsEmpty && Of(caller) is { Effect: >= SignalEffect.Slow } ? SlowFactor : 1;

    /// <summary>Whether a connection must not be.</summary>
    public bool Blocks(Caller caller, ClientOrigin? origin) => !IsEmpty && (Of(caller)?.Effect is SignalEffect.Block || Of(origin)?.Effect is SignalEffect.Block);

    /// <summary>Begins what is to be done, unless as much is done already.</summary>
    /// <returns>What is done about the subject from now on; null: nothing, because it was lifted, is over, or there is no room.</returns>
    public SignalAction? Begin(SignalAction action)
    {
        lock (_lock)
        {
            var standing = Of(action.Subject);
            if (action.Until <= time.GetUtcNow() || _lifted.ContainsKey(action.Id) || (standing is not null && !IsMore(action, standing)))
            {
                return standing;
            }

            if (standing is null && _actions.Count >= Capacity && !_actions.ContainsKey(action.Subject))
            {
                return null;
            }

            _actions[action.Subject] = action;
        }

        Began?.Invoke(action);
        return action;
    }

    /// <summary>Ends it before its time, here.</summary>
    /// <returns>What it was; null: there is none of this name.</returns>
    public SignalAction? Lift(string id)
    {
        var lifted = All.FirstOrDefault(action => action.Id == id);
        if (lifted is not null)
        {
            Lift(new LiftedAction(id, lifted.Until));
        }

        return lifted;
    }

    /// <summary>The same, as another node has told it.</summary>
    public void Lift(LiftedAction lifted)
    {
        lock (_lock)
        {
            if (lifted.Until <= time.GetUtcNow())
            {
                return;
            }

            _lifted[lifted.Id] = lifted.Until;
            foreach (var (subject, action) in _actions)
            {
                if (action.Id == lifted.Id)
                {
                    _actions.TryRemove(subject, out _);
                }
            }
        }
    }

    /// <summary>Forgets what is over.</summary>
    public void Sweep()
    {
        var now = time.GetUtcNow();
        lock (_lock)
        {
            foreach (var (subject, action) in _actions)
            {
                if (action.Until <= now)
                {
                    _actions.TryRemove(subject, out _);
                }
            }

            foreach (var (id, until) in _lifted)
            {
                if (until <= now)
                {
                    _lifted.Remove(id);
                }
            }
        }
    }

    private static SignalAction? Most(SignalAction? one, SignalAction? other) => one is null || (other is not null && IsMore(other, one)) ? other : one;

    /// <summary>The same on every node, whatever they hear first.</summary>
    private static bool IsMore(SignalAction one, SignalAction other) =>
        (one.Effect, one.Until).CompareTo((other.Effect, other.Until)) is var order && (order > 0 || (order == 0 && string.CompareOrdinal(one.Id, other.Id) > 0));
}

/// <summary>What was ended before its time.</summary>
/// <param name="Id">Its name.</param>
/// <param name="Until">When it would have ended by itself.</param>
internal sealed record LiftedAction(string Id, DateTimeOffset Until);
