using System.Collections.Concurrent;
using System.Net.Http.Json;
using RealtimeAspire.Client.Transports;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Client.Signing;

/// <summary>The public keys of a server: registers and revokes one's own, and finds those with which others have signed.</summary>
/// <example>
/// <code>
/// var keys = new SigningKeys(new Uri("http://localhost:5200"), () => Task.FromResult&lt;string?&gt;(token));
/// await keys.RegisterAsync(signer.PublicKey);
/// </code>
/// </example>
public sealed class SigningKeys
{
    private const int MostKnown = 10_000;
    private const int BreakerFailures = 5;

    private static readonly TimeSpan AnswerTime = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan BreakerPause = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<string, Known> _known = new(StringComparer.Ordinal);
    private readonly Uri _server;
    private readonly Func<Task<string?>> _token;
    private readonly TimeProvider _time;
    private readonly Breaker _breaker;

    /// <summary>Asks nothing yet.</summary>
    /// <param name="server">The server's address.</param>
    /// <param name="tokenProvider">Asked for a token at each request.</param>
    /// <param name="time">The clock; the system's by default.</param>
    public SigningKeys(Uri server, Func<Task<string?>> tokenProvider, TimeProvider? time = null)
    {
        (_server, _token, _time) = (server, tokenProvider, time ?? TimeProvider.System);
        _breaker = new Breaker(BreakerFailures, BreakerPause, _time);
    }

    /// <summary>For how long an answer is taken for true. A key itself never changes; that it was revoked is known so much later. Default: one minute.</summary>
    public TimeSpan KeepTime { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Registers a key of the caller's. Again, it changes nothing.</summary>
    /// <param name="key">The public key, as <see cref="EventSigner.PublicKey"/> has it.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="RealtimeException">The server's code, or <c>disconnected</c>.</exception>
    public async Task<SigningKeyInfo> RegisterAsync(SigningJwk key, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(key);
        var request = new SigningKeyRequest { Jwk = System.Text.Json.JsonSerializer.SerializeToElement(key, RealtimeJson.Default.SigningJwk) };
        var door = await OpenAsync();
        return await door.AskAsync(
            HttpMethod.Post, "/signing-keys", JsonContent.Create(request, RealtimeJson.Default.SigningKeyRequest), RealtimeJson.Default.SigningKeyInfo, TimeSpan.Zero, cancellationToken);
    }

    /// <summary>Revokes a key: nothing is accepted with it any more. What it has signed stays signed.</summary>
    /// <param name="keyId">The key's name.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="RealtimeException">The server's code, or <c>disconnected</c>.</exception>
    public async Task RevokeAsync(string keyId, CancellationToken cancellationToken = default)
    {
        var door = await OpenAsync();
        await door.AskAsync<object>(HttpMethod.Delete, $"/signing-keys/{Uri.EscapeDataString(keyId)}", null, null, TimeSpan.Zero, cancellationToken);
        _known.TryRemove(keyId, out _);
    }

    /// <summary>A key by its name; null: the server has none. Answers are kept for <see cref="KeepTime"/>.</summary>
    /// <param name="keyId">The key's name.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="RealtimeException">The server's code, or <c>disconnected</c>: it could not be found out.</exception>
    public async Task<SigningKeyInfo?> FindAsync(string keyId, CancellationToken cancellationToken = default)
    {
        if (_known.TryGetValue(keyId, out var known) && _time.GetElapsedTime(known.At) < KeepTime)
        {
            return known.Key;
        }

        var at = _time.GetTimestamp();
        var key = await AskAsync(keyId, cancellationToken);
        if (_known.Count >= MostKnown)
        {
            _known.Clear();
        }

        _known[keyId] = new Known(key, at);
        return key;
    }

    private async Task<SigningKeyInfo?> AskAsync(string keyId, CancellationToken cancellationToken)
    {
        var door = await OpenAsync();
        try
        {
            return await door.AskAsync(
                HttpMethod.Get, $"/signing-keys/{Uri.EscapeDataString(keyId)}", null, RealtimeJson.Default.SigningKeyInfo, TimeSpan.Zero, cancellationToken);
        }
        catch (RealtimeException exception) when (exception.Error.Code == ErrorCode.NotFound.Code)
        {
            return null;
        }
    }

    private async Task<HttpDoor> OpenAsync() => new(_server, await _token(), AnswerTime, _breaker, _time);

    private readonly record struct Known(SigningKeyInfo? Key, long At);
}
