using System.Collections.Concurrent;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Audit;

namespace RealtimeAspire.Server.Pipeline.Authorization;

/// <summary>The keys of backends that this node has met. <see cref="AccessWatch"/> keeps them up to date.</summary>
internal sealed class ServiceKeys(IServiceKeySource source, AuditTrail audit, TimeProvider time)
{
    // Who tries keys at random shall not fill the memory, nor ask the database each time.
    private const int MaxUnknown = 10_000;

    private static readonly TimeSpan UnknownTime = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<string, ServiceKey?> _keys = new(StringComparer.Ordinal);
    private readonly ReadOrder<string> _reads = new();
    private readonly ConcurrentDictionary<string, long> _unknown = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, DateTimeOffset> _used = new(StringComparer.Ordinal);

    /// <summary>Who presents a key.</summary>
    /// <param name="presented">Untrusted.</param>
    /// <param name="source">From where.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException"><c>token_invalid</c>, <c>token_expired</c>, <c>token_revoked</c>, <c>log_unavailable</c>.</exception>
    public async ValueTask<Caller> AuthenticateAsync(string presented, AuditSource source, CancellationToken cancellationToken)
    {
        if (!ServiceKey.TryParse(presented, out var id, out var hash)
            || (_unknown.TryGetValue(id, out var since) && time.GetElapsedTime(since) < UnknownTime)
            || (_keys.GetValueOrDefault(id) ?? await LoadAsync(id, cancellationToken)) is not { } key
            || !key.Fits(hash, time.GetUtcNow()))
        {
            throw new RealtimeException(ErrorCode.TokenInvalid, "This is no service key of this server.");
        }

        var now = time.GetUtcNow();
        if (!key.IsGood(now))
        {
            throw new RealtimeException(key.IsRevoked ? ErrorCode.TokenRevoked : ErrorCode.TokenInvalid, key.IsRevoked ? "The service key has been revoked." : "The service key has expired.");
        }

        _used[id] = now;
        var caller = CallerOf(key);
        audit.Record(AuditAction.KeyUsed, caller.Tenant, AuditActor.Of(caller), caller.UserId, source: source);
        return caller;
    }

    /// <summary>The same backend as its key is now; null when that does not count any more.</summary>
    public Caller? Renew(Caller caller) =>
        _keys.GetValueOrDefault(caller.UserId[Caller.KeyPrefix.Length..]) is { } key && key.IsGood(time.GetUtcNow()) ? CallerOf(key) : null;

    /// <summary>A backend by its subject, as its key is now; null: it does not count any more.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async ValueTask<Caller?> FindAsync(string subject, CancellationToken cancellationToken)
    {
        var id = subject[Caller.KeyPrefix.Length..];
        return (_keys.GetValueOrDefault(id) ?? await LoadAsync(id, cancellationToken)) is { } key && key.IsGood(time.GetUtcNow()) ? CallerOf(key) : null;
    }

    /// <summary>A key that has changed is read again, also where it is just being read for the first time: that may tell what it was.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task ReloadAsync(string id, CancellationToken cancellationToken)
    {
        // First: a read that is over has kept what it has found.
        var isUnderWay = _reads.IsUnderWay(id);
        _unknown.TryRemove(id, out _);
        if (isUnderWay || _keys.ContainsKey(id))
        {
            await ReadAsync(id, cancellationToken);
        }
    }

    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task ReloadAllAsync(CancellationToken cancellationToken)
    {
        _unknown.Clear();
        foreach (var id in _reads.UnderWay.Concat(_keys.Keys).ToHashSet(StringComparer.Ordinal))
        {
            await ReloadAsync(id, cancellationToken);
        }
    }

    /// <summary>Says when keys were used, now and then: it is shown to who looks after them.</summary>
    public async Task WriteUsesAsync()
    {
        foreach (var (id, at) in _used)
        {
            try
            {
                await source.SetUsedAsync(id, at, CancellationToken.None);
                _used.TryRemove(KeyValuePair.Create(id, at));
            }
            catch (RealtimeException)
            {
                // The next time.
                return;
            }
        }
    }

    private static Caller CallerOf(ServiceKey key) => new(key.Tenant, Caller.KeyPrefix + key.Id) { Grants = key.Grants, Expires = key.Expires, SigningKeys = key.SigningKeys };

    private async Task<ServiceKey?> LoadAsync(string id, CancellationToken cancellationToken)
    {
        // Asked for before: it is gone.
        if (_keys.ContainsKey(id))
        {
            return null;
        }

        await ReadAsync(id, cancellationToken);
        return _keys.GetValueOrDefault(id);
    }

    private Task ReadAsync(string id, CancellationToken cancellationToken) => _reads.ReadAsync(id, () => source.FindAsync(id, cancellationToken), key => Keep(id, key));

    private void Keep(string id, ServiceKey? key)
    {
        if (key is not null || _keys.ContainsKey(id))
        {
            _keys[id] = key;
            _unknown.TryRemove(id, out _);
            return;
        }

        if (_unknown.Count >= MaxUnknown)
        {
            _unknown.Clear();
        }

        _unknown[id] = time.GetTimestamp();
    }
}
