using RealtimeAspire.Client.Transports;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Client;

/// <summary>What was said of this client's connection: a new one is said it again, for the server knows it of the old one only.</summary>
internal sealed class OwnPresence
{
    private readonly Lock _lock = new();

    // Under the lock: on all topics, and by topic.
    private readonly SortedDictionary<string, PresenceRequest> _said = new(StringComparer.Ordinal);

    public void Said(PresenceRequest presence)
    {
        if (presence.Active is null && presence.Data is null)
        {
            return;
        }

        lock (_lock)
        {
            var before = _said.GetValueOrDefault(presence.Topic ?? "");
            _said[presence.Topic ?? ""] = new PresenceRequest { Topic = presence.Topic, Active = presence.Active ?? before?.Active, Data = presence.Data ?? before?.Data };
        }
    }

    public async Task SayAgainAsync(ILink link)
    {
        PresenceRequest[] said;
        lock (_lock)
        {
            said = [.. _said.Values];
        }

        foreach (var presence in said)
        {
            try
            {
                await link.SetPresenceAsync(presence, CancellationToken.None);
            }
            catch (RealtimeException)
            {
                // The topic is not subscribed to any more, or the link is no hub, or it is gone.
            }
        }
    }
}
