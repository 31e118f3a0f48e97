using System.Collections.Frozen;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Authorization;

namespace RealtimeAspire.Server.Pipeline.Signing;

/// <summary>The keys with which code in the server's process signs. <see cref="AccessWatch"/> keeps them up to date.</summary>
internal sealed class ServerSigningKeys(SigningKeyStore store)
{
    private readonly ReadOrder<string> _reads = new();
    private volatile FrozenDictionary<string, FrozenDictionary<string, SigningKey>> _keys = FrozenDictionary<string, FrozenDictionary<string, SigningKey>>.Empty;

    /// <summary>Null: it has none in this tenant.</summary>
    public IReadOnlyDictionary<string, SigningKey>? Of(string tenant) => _keys.GetValueOrDefault(tenant);

    /// <summary>Reads them; a slow read does not bring back what a newer one has found revoked.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public Task LoadAsync(CancellationToken cancellationToken) => _reads.ReadAllAsync(() => store.ReadServersAsync(cancellationToken), (keys, _) => _keys = keys);
}
