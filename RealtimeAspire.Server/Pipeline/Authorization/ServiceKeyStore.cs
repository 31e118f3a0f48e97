using System.Text.Json;
using Npgsql;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Signing;

namespace RealtimeAspire.Server.Pipeline.Authorization;

/// <summary>A key as who looks after keys sees it.</summary>
internal sealed record ServiceKeyInfo(
    string Id, string Name, JsonElement Grants, string CreatedBy, DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt, DateTimeOffset? RevokedAt, DateTimeOffset? LastUsedAt);

/// <summary>What a node asks about the keys that it meets.</summary>
internal interface IServiceKeySource
{
    /// <returns>Null: there is no such key.</returns>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    Task<ServiceKey?> FindAsync(string id, CancellationToken cancellationToken);

    /// <summary>Says when a key was used last.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    Task SetUsedAsync(string id, DateTimeOffset at, CancellationToken cancellationToken);
}

/// <summary>The keys of backends, in Postgres. Each change is told to every node when it commits.</summary>
internal sealed class ServiceKeyStore(AccessDatabase database) : IServiceKeySource
{
    private const string Columns = "key_id, name, grants, created_by, created_at, expires_at, revoked_at, last_used_at";

    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<ServiceKey?> FindAsync(string id, CancellationToken cancellationToken)
    {
        ServiceKey? found = null;
        await database.ReadAsync(
            "select key_id, tenant, hash, previous_hash, previous_until, grants, expires_at, revoked_at is not null from realtime.service_keys where key_id = $1",
            reader => found = new ServiceKey(
                reader.GetString(0),
                reader.GetString(1),
                reader.GetFieldValue<byte[]>(2),
                reader.IsDBNull(3) ? null : reader.GetFieldValue<byte[]>(3),
                TimeAt(reader, 4),
                Grants.Read(JsonElement.Parse(reader.GetString(5))),
                TimeAt(reader, 6),
                reader.GetBoolean(7)),
            cancellationToken,
            id);
        return found is { } key ? key with { SigningKeys = await ReadSigningKeysAsync(key, cancellationToken) } : null;
    }

    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public Task AddAsync(string tenant, string id, byte[] hash, string name, JsonElement grants, string by, DateTimeOffset? expires, CancellationToken cancellationToken) => database.RunAsync(
        "insert into realtime.service_keys (tenant, key_id, hash, name, grants, created_by, expires_at) values ($1, $2, $3, $4, $5, $6, $7)",
        cancellationToken,
        tenant,
        id,
        hash,
        name,
        grants.GetRawText(),
        by,
        expires);

    /// <summary>A tenant's keys, the oldest first.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<IReadOnlyList<ServiceKeyInfo>> ListAsync(string tenant, CancellationToken cancellationToken)
    {
        var keys = new List<ServiceKeyInfo>();
        await database.ReadAsync(
            $"select {Columns} from realtime.service_keys where tenant = $1 order by created_at, key_id", reader => keys.Add(ToInfo(reader)), cancellationToken, tenant);
        return keys;
    }

    /// <summary>Gives a key another secret; the one before counts until a moment.</summary>
    /// <returns>Null: there is no such key that counts.</returns>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<ServiceKeyInfo?> RotateAsync(string tenant, string id, byte[] hash, DateTimeOffset previousUntil, CancellationToken cancellationToken)
    {
        ServiceKeyInfo? rotated = null;
        await database.ReadAsync(
            $"""
            update realtime.service_keys set previous_hash = hash, previous_until = $4, hash = $3
             where tenant = $1 and key_id = $2 and revoked_at is null and (expires_at is null or expires_at > now())
            returning {Columns}
            """,
            reader => rotated = ToInfo(reader),
            cancellationToken,
            tenant,
            id,
            hash,
            previousUntil);
        return rotated;
    }

    /// <returns>False: there is no such key.</returns>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<bool> RevokeAsync(string tenant, string id, CancellationToken cancellationToken)
    {
        var exists = false;
        await database.ReadAsync(
            "update realtime.service_keys set revoked_at = coalesce(revoked_at, now()) where tenant = $1 and key_id = $2 returning 1",
            _ => exists = true,
            cancellationToken,
            tenant,
            id);
        return exists;
    }

    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public Task SetUsedAsync(string id, DateTimeOffset at, CancellationToken cancellationToken) => database.RunAsync(
        "update realtime.service_keys set last_used_at = $2 where key_id = $1 and (last_used_at is null or last_used_at < $2)", cancellationToken, id, at);

    private async Task<IReadOnlyDictionary<string, SigningKey>> ReadSigningKeysAsync(ServiceKey key, CancellationToken cancellationToken)
    {
        var keys = new Dictionary<string, SigningKey>(StringComparer.Ordinal);
        await database.ReadAsync(
            "select key_id, public_key from realtime.signing_keys where tenant = $1 and user_id = $2 and revoked_at is null",
            reader => keys[reader.GetString(0)] = new SigningKey(SigningJwk.FromBytes(reader.GetFieldValue<byte[]>(1))),
            cancellationToken,
            key.Tenant,
            Caller.KeyPrefix + key.Id);
        return keys;
    }

    private static ServiceKeyInfo ToInfo(NpgsqlDataReader reader) => new(
        reader.GetString(0),
        reader.GetString(1),
        JsonElement.Parse(reader.GetString(2)),
        reader.GetString(3),
        reader.GetFieldValue<DateTimeOffset>(4),
        TimeAt(reader, 5),
        TimeAt(reader, 6),
        TimeAt(reader, 7));

    private static DateTimeOffset? TimeAt(NpgsqlDataReader reader, int column) => reader.IsDBNull(column) ? null : reader.GetFieldValue<DateTimeOffset>(column);
}
