using System.Security.Claims;
using Microsoft.Extensions.Caching.Memory;
using RealtimeAspire.Server.Pipeline.Identity;

namespace RealtimeAspire.Server.Pipeline.Authorization;

/// <summary>
/// Tokens that were found good a moment ago, so that whoever sends one request after the other has his signature verified once a minute. What may have changed since, that the token
/// has ended, was taken back or that the authority has other keys, is looked at each time.
/// </summary>
internal sealed class KnownTokens(TokenSources sources, TimeProvider time) : IDisposable
{
    private const int Most = 10_000;

    private static readonly TimeSpan KeepTime = TimeSpan.FromMinutes(1);

    private readonly MemoryCache _tokens = new(new MemoryCacheOptions { SizeLimit = Most });

    /// <param name="token">Untrusted.</param>
    /// <returns>Whom it names; null: it has to be looked at.</returns>
    public KnownToken? Find(string token) =>
        _tokens.TryGetValue(token, out KnownToken? known) && ReferenceEquals(known!.Keys, sources.AuthorityKeySet) && known.Caller.Expires + BearerTokens.Grace > time.GetUtcNow() ? known : null;

    /// <summary>One that has passed every check but that it was taken back.</summary>
    public void Add(string token, ClaimsIdentity claims, Caller caller) => _tokens.Set(
        token,
        new KnownToken(claims, caller, sources.AuthorityKeySet),
        new MemoryCacheEntryOptions { AbsoluteExpirationRelativeToNow = KeepTime, Size = 1 });

    public void Dispose() => _tokens.Dispose();
}

/// <summary>A token that was found good.</summary>
/// <param name="Claims">What it says.</param>
/// <param name="Caller">Whom it names.</param>
/// <param name="Keys">The authority's keys at that time; null: none.</param>
internal sealed record KnownToken(ClaimsIdentity Claims, Caller Caller, object? Keys);
