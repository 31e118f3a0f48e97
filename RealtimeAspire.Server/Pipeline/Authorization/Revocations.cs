using System.Collections.Concurrent;

namespace RealtimeAspire.Server.Pipeline.Authorization;

/// <summary>Which tokens do not count any more: one by its id, or all of a user that were issued up to a moment.</summary>
internal sealed class Revocations
{
    private readonly ConcurrentDictionary<Revocation.Subject, DateTimeOffset> _issuedUntil = new();

    /// <summary>Whether the caller's token has been taken back.</summary>
    public bool Hit(Caller caller) => !_issuedUntil.IsEmpty && !caller.IsService && (Hit(caller, Revocation.Token, caller.TokenId) || Hit(caller, Revocation.User, caller.UserId)
        || (caller.SignInId is { } signIn && Hit(caller, Revocation.Token, Revocation.SignInPrefix + signIn)));

    /// <summary>Up to when a user's tokens have been taken back, as far as this node has heard.</summary>
    public DateTimeOffset? IssuedUntil(string tenant, string user) => _issuedUntil.TryGetValue(new Revocation.Subject(tenant, Revocation.User, user), out var until) ? until : null;

    public void Set(Revocation revocation) => _issuedUntil[revocation.Of] = revocation.IssuedUntil;

    public void SetAll(IEnumerable<Revocation> revocations)
    {
        var all = revocations.ToDictionary(one => one.Of, one => one.IssuedUntil);
        foreach (var (subject, until) in all)
        {
            _issuedUntil[subject] = until;
        }

        foreach (var subject in _issuedUntil.Keys.Where(subject => !all.ContainsKey(subject)))
        {
            _issuedUntil.TryRemove(subject, out _);
        }
    }

    // A token that does not say when it was issued may be an old one. Tokens tell whole seconds.
    private bool Hit(Caller caller, string kind, string? subject) =>
        subject is not null
        && _issuedUntil.TryGetValue(new Revocation.Subject(caller.Tenant, kind, subject), out var until)
        && (caller.IssuedAt is not { } issued || issued <= until);
}

/// <summary>Tokens that were taken back.</summary>
/// <param name="Of">Which.</param>
/// <param name="IssuedUntil">Those that were issued up to here.</param>
internal sealed record Revocation(Revocation.Subject Of, DateTimeOffset IssuedUntil)
{
    public const string Token = "token";
    public const string User = "user";

    /// <summary>Before the id of a sign-in it stands for all tokens that came of it.</summary>
    public const string SignInPrefix = "sid:";

    /// <param name="Tenant">The tenant.</param>
    /// <param name="Kind"><see cref="Token"/> or <see cref="User"/>.</param>
    /// <param name="Id">The token's id, or the user's.</param>
    internal readonly record struct Subject(string Tenant, string Kind, string Id);
}
