using System.Collections.Frozen;
using Npgsql;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Authorization;

namespace RealtimeAspire.Server.Pipeline.Signing;

/// <summary>The public keys of users, service keys and the server itself, in Postgres. Each change is told to every node when it commits.</summary>
internal sealed class SigningKeyStore(AccessDatabase database)
{
    private const string Columns = "key_id, tenant, user_id, public_key, created_at, revoked_at";

    /// <summary>Of the server itself, by tenant, those that count.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<FrozenDictionary<string, FrozenDictionary<string, SigningKey>>> ReadServersAsync(CancellationToken cancellationToken)
    {
        var keys = new List<(string Tenant, string Id, SigningKey Key)>();
        await database.ReadAsync(
            "select tenant, key_id, public_key from realtime.signing_keys where user_id = '' and revoked_at is null",
            reader => keys.Add((reader.GetString(0), reader.GetString(1), new SigningKey(SigningJwk.FromBytes(reader.GetFieldValue<byte[]>(2))))),
            cancellationToken);
        return keys.GroupBy(key => key.Tenant, StringComparer.Ordinal)
            .ToFrozenDictionary(tenant => tenant.Key, tenant => tenant.ToFrozenDictionary(key => key.Id, key => key.Key, StringComparer.Ordinal), StringComparer.Ordinal);
    }

    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<SigningKeyInfo?> FindAsync(string tenant, string keyId, CancellationToken cancellationToken)
    {
        SigningKeyInfo? found = null;
        await database.ReadAsync(
            $"select {Columns} from realtime.signing_keys where tenant = $1 and key_id = $2", reader => found = ToInfo(reader), cancellationToken, tenant, keyId);
        return found;
    }

    /// <summary>Somebody's keys, the oldest first.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<IReadOnlyList<SigningKeyInfo>> ListAsync(string tenant, string user, CancellationToken cancellationToken)
    {
        var keys = new List<SigningKeyInfo>();
        await database.ReadAsync(
            $"select {Columns} from realtime.signing_keys where tenant = $1 and user_id = $2 order by created_at, key_id",
            reader => keys.Add(ToInfo(reader)),
            cancellationToken,
            tenant,
            user);
        return keys;
    }

    /// <summary>Registers a key, unless there is one of this name.</summary>
    /// <param name="tenant">The tenant.</param>
    /// <param name="keyId">The key's name.</param>
    /// <param name="user">Whose it is.</param>
    /// <param name="point">The public key.</param>
    /// <param name="by">Who registers it.</param>
    /// <param name="most">How many keys that count one may have.</param>
    /// <param name="mostEver">And how many in all, with those that were revoked.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public Task AddAsync(string tenant, string keyId, string user, byte[] point, string by, int most, int mostEver, CancellationToken cancellationToken) => database.RunAsync(
        """
        insert into realtime.signing_keys (tenant, key_id, user_id, public_key, created_by)
        select $1, $2, $3, $4, $5 from (
          select count(*) filter (where revoked_at is null) as good, count(*) as ever from realtime.signing_keys where tenant = $1 and user_id = $3) had
         where good < $6 and ever < $7
            on conflict (tenant, key_id) do nothing
        """,
        cancellationToken,
        tenant,
        keyId,
        user,
        point,
        by,
        most,
        mostEver);

    /// <summary>From now on nothing is accepted with it; when it was revoked first counts.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public Task RevokeAsync(string tenant, string keyId, CancellationToken cancellationToken) => database.RunAsync(
        "update realtime.signing_keys set revoked_at = coalesce(revoked_at, now()) where tenant = $1 and key_id = $2", cancellationToken, tenant, keyId);

    private static SigningKeyInfo ToInfo(NpgsqlDataReader reader) => new()
    {
        KeyId = reader.GetString(0),
        Tenant = reader.GetString(1),
        User = reader.GetString(2) is { Length: > 0 } user ? user : null,
        Jwk = SigningJwk.FromBytes(reader.GetFieldValue<byte[]>(3)),
        CreatedAt = reader.GetFieldValue<DateTimeOffset>(4),
        RevokedAt = reader.IsDBNull(5) ? null : reader.GetFieldValue<DateTimeOffset>(5),
    };
}
