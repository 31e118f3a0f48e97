using Microsoft.AspNetCore.Identity;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Pipeline.Identity;

/// <summary>Makes and checks the hashes of passwords. They cost time on purpose, so only so many are worked on at once: who tries many takes not all of the machine.</summary>
internal sealed class PasswordCheck : IDisposable
{
    private const int MinLength = 8;
    private const int MaxLength = 256;
    private const int MaxWaiting = 100;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private readonly PasswordHasher<string> _hasher = new();
    private readonly SemaphoreSlim _places = new(Math.Max(1, Environment.ProcessorCount / 2));
    private readonly Lazy<string> _nobodys;
    private int _waiting;

    public PasswordCheck() => _nobodys = new Lazy<string>(() => _hasher.HashPassword("", Guid.NewGuid().ToString()));

    /// <exception cref="RealtimeException"><c>password_invalid</c>.</exception>
    public static void RequirePassword(string password)
    {
        if (password.Length is < MinLength or > MaxLength)
        {
            throw new RealtimeException(ErrorCode.PasswordInvalid);
        }
    }

    /// <exception cref="RealtimeException"><c>overloaded</c>.</exception>
    public Task<string> HashAsync(string password, CancellationToken cancellationToken) => WorkAsync(() => _hasher.HashPassword("", password), cancellationToken);

    /// <param name="password">Untrusted.</param>
    /// <param name="hash">The account's; null: there is none, which takes as long.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException"><c>overloaded</c>.</exception>
    public Task<bool> IsRightAsync(string password, string? hash, CancellationToken cancellationToken) => WorkAsync(
        () => _hasher.VerifyHashedPassword("", hash ?? _nobodys.Value, password.Length > MaxLength ? "" : password) is not PasswordVerificationResult.Failed && hash is not null,
        cancellationToken);

    public void Dispose() => _places.Dispose();

    private async Task<T> WorkAsync<T>(Func<T> work, CancellationToken cancellationToken)
    {
        try
        {
            if (Interlocked.Increment(ref _waiting) > MaxWaiting || !await _places.WaitAsync(Patience, cancellationToken))
            {
                throw new RealtimeException(ErrorCode.Overloaded);
            }
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }

        try
        {
            return work();
        }
        finally
        {
            _places.Release();
        }
    }
}
