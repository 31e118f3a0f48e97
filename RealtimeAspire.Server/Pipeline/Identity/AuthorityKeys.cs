using System.Text.Json;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Tokens;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Authorization;

namespace RealtimeAspire.Server.Pipeline.Identity;

/// <summary>
/// The keys of the OIDC authority: read when the first token comes, again when they are old, and when a token names one that is not
/// known, which is how a new key shows. However many such tokens come, the authority is asked once in an interval; while it cannot be reached, the
/// keys that are known count on.
/// </summary>
internal sealed partial class AuthorityKeys : IDisposable
{
    private const int MaxDocumentBytes = 512 * 1024;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan PauseAfterFailure = TimeSpan.FromSeconds(1);

    private readonly AuthOptions _options;
    private readonly string _authority;
    private readonly bool _isDevelopment;
    private readonly TimeProvider _time;
    private readonly ILogger<AuthorityKeys> _logger;
    private readonly HttpClient _http;
    private readonly Lock _lock = new();

    private volatile Known? _known;
    private volatile bool _hasFailed;
    private Task _reading = Task.CompletedTask;
    private long? _triedAt;

    public AuthorityKeys(IOptions<RealtimeOptions> options, IHostEnvironment environment, TimeProvider time, ILogger<AuthorityKeys> logger)
    {
        (_options, _time, _logger, _isDevelopment) = (options.Value.Auth, time, logger, environment.IsDevelopment());
        _authority = (_options.Authority ?? "").TrimEnd('/');
        _http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, PooledConnectionLifetime = TimeSpan.FromMinutes(5) })
        {
            MaxResponseContentBufferSize = MaxDocumentBytes,
            Timeout = Patience,
        };
    }

    /// <summary>What was read last; null: nothing yet.</summary>
    public object? Current => _known;

    /// <summary>Whether tokens of this issuer are the authority's.</summary>
    public bool IsIssuer(string issuer) => _options.HasAuthority && (_known is { } known ? issuer == known.Issuer : issuer.TrimEnd('/') == _authority);

    /// <summary>The keys that can have signed a token; without <see cref="PrepareAsync"/> only of those that are known already.</summary>
    public IReadOnlyList<SecurityKey> Find(TokenForm form) => [.. (_known?.Keys ?? []).Where(key => key.Fits(form)).Select(key => key.Key)];

    /// <summary>Sees to it that the key that a token names is known, if there is such a key.</summary>
    /// <exception cref="RealtimeException"><c>authority_unavailable</c>: it is unknown, and the authority cannot be asked.</exception>
    public async Task PrepareAsync(TokenForm form, CancellationToken cancellationToken)
    {
        if (_known is { } known && known.Has(form))
        {
            if (_time.GetElapsedTime(known.At) > TimeSpan.FromSeconds(_options.KeySeconds))
            {
                // Nobody waits: what is known counts until there is something newer.
                _ = Read();
            }

            return;
        }

        await Read().WaitAsync(cancellationToken);
        if (_known is null || (_hasFailed && !_known.Has(form)))
        {
            throw new RealtimeException(ErrorCode.AuthorityUnavailable);
        }
    }

    public void Dispose() => _http.Dispose();

    /// <summary>One at a time, and not more often than is allowed.</summary>
    private Task Read()
    {
        lock (_lock)
        {
            var pause = _hasFailed || _known is null ? PauseAfterFailure : TimeSpan.FromSeconds(_options.KeyRefreshSeconds);
            if (_reading.IsCompleted && (_triedAt is not { } tried || _time.GetElapsedTime(tried) >= pause))
            {
                _triedAt = _time.GetTimestamp();
                _reading = Background.Run(ReadAsync);
            }

            return _reading;
        }
    }

    private async Task ReadAsync()
    {
        try
        {
            using var discovery = await GetAsync(new Uri($"{_authority}/.well-known/openid-configuration"));
            var issuer = TextOf(discovery.RootElement, "issuer");
            if (issuer.TrimEnd('/') != _authority)
            {
                throw new FormatException($"it calls itself {issuer}, and not {_authority}");
            }

            using var keySet = await GetAsync(RequireSafe(TextOf(discovery.RootElement, "jwks_uri")));
            var keys = AuthorityKey.ReadAll(keySet.RootElement, _options.AuthorityAlgorithms);
            if (keys.Count == 0)
            {
                throw new FormatException("it has no key for the algorithms that are allowed");
            }

            _known = new Known(issuer, keys, _time.GetTimestamp());
            _hasFailed = false;
            LogRead(keys.Count);
        }
        catch (Exception exception) when (exception is HttpRequestException or OperationCanceledException or JsonException or FormatException or ObjectDisposedException)
        {
            _hasFailed = true;
            LogUnread(exception.Message);
        }
    }

    private async Task<JsonDocument> GetAsync(Uri address) => JsonDocument.Parse(await _http.GetByteArrayAsync(address));

    /// <summary>The keys are worth no more than the way that they come.</summary>
    private Uri RequireSafe(string address) => Uri.TryCreate(address, UriKind.Absolute, out var uri) && IsSafe(uri, _isDevelopment)
        ? uri
        : throw new FormatException("the address of its keys is not an https one");

    /// <summary>Whether an authority may be asked there: by https, in development also by http on this machine.</summary>
    public static bool IsSafe(Uri address, bool isDevelopment) =>
        address.Scheme == Uri.UriSchemeHttps || (isDevelopment && address.Scheme == Uri.UriSchemeHttp && address.IsLoopback);

    private static string TextOf(JsonElement json, string name) =>
        json.ValueKind is JsonValueKind.Object && json.TryGetProperty(name, out var value) && value.ValueKind is JsonValueKind.String
            ? value.GetString()!
            : throw new FormatException($"its configuration has no {name}");

    [LoggerMessage(EventId = 1580, Level = LogLevel.Information, Message = "Read {Count} keys of the authority")]
    private partial void LogRead(int count);

    [LoggerMessage(EventId = 1581, Level = LogLevel.Warning, Message = "The authority's keys cannot be read; those that are known count on: {Reason}")]
    private partial void LogUnread(string reason);

    private sealed record Known(string Issuer, IReadOnlyList<AuthorityKey> Keys, long At)
    {
        public bool Has(TokenForm form) => Keys.Any(key => key.Fits(form));
    }
}
