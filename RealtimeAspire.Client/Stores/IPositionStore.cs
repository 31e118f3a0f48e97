using RealtimeAspire.Protocol;

namespace RealtimeAspire.Client.Stores;

/// <summary>Keeps how far an application has come in its topics.</summary>
public interface IPositionStore
{
    /// <summary>Where to go on; null where there is nothing about the topic.</summary>
    ValueTask<Position?> LoadAsync(string topic, CancellationToken cancellationToken);

    /// <summary>Called after each event that was dealt with; the next waits for it.</summary>
    ValueTask SaveAsync(string topic, Position position);
}
