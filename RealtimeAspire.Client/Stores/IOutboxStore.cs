using RealtimeAspire.Protocol;

namespace RealtimeAspire.Client.Stores;

/// <summary>A publish that waits, as it can be stored.</summary>
/// <param name="Request">The publish; it has an id.</param>
/// <param name="At">When it was published here.</param>
public sealed record OutboxItem(PublishRequest Request, DateTimeOffset At);

/// <summary>What became of a publish that an earlier run has left behind: a reply or an error.</summary>
/// <param name="Item">The publish.</param>
/// <param name="Reply">The server's answer.</param>
/// <param name="Error">Why there is none.</param>
public sealed record LateOutcome(OutboxItem Item, PublishReply? Reply, RealtimeException? Error);

/// <summary>Keeps what waits where the end of a process does not reach. Belongs to one client, which disposes it.</summary>
public interface IOutboxStore : IDisposable
{
    /// <summary>Called once, first.</summary>
    /// <param name="take">
    /// Is given what others have left behind, in the order in which it was published: before this returns, and whenever there is more.
    /// It is this outbox's from then on.
    /// </param>
    void Open(Action<IReadOnlyList<OutboxItem>> take);

    /// <summary>Keeps a publish. Must be quick; others wait.</summary>
    void Put(OutboxItem item);

    /// <summary>A publish that was kept has its outcome.</summary>
    /// <param name="item">The same object as was put, or taken.</param>
    void Delete(OutboxItem item);
}
