using System.Collections.Frozen;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Pipeline.Signing;

/// <summary>The keys with which code in the server's process signs. <see cref="Authorization.AccessWatch"/> keeps them up to date.</summary>
internal sealed class ServerSigningKeys(SigningKeyStore store)
{
    private volatile FrozenDictionary<string, FrozenDictionary<string, SigningKey>> _keys = FrozenDictionary<string, FrozenDictionary<string, SigningKey>>.Empty;

    /// <summary>Null: it has none in this tenant.</summary>
    public IReadOnlyDictionary<string, SigningKey>? Of(string tenant) => _keys.GetValueOrDefault(tenant);

    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task LoadAsync(CancellationToken cancellationToken) => _keys = await store.ReadServersAsync(cancellationToken);
}
