using System.ComponentModel.DataAnnotations;

namespace RealtimeAspire.Server.Pipeline.Authorization;

/// <summary>The section <c>Realtime:Auth</c>.</summary>
internal sealed class AuthOptions
{
    public const int MinKeyBytes = 32;

    /// <summary>What an authority's tokens may be signed with. Nothing that a public key could be the secret of.</summary>
    public static readonly IReadOnlyList<string> KnownAlgorithms = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"];

    private static readonly string[] DefaultAlgorithms = ["RS256", "ES256", "PS256"];

    /// <summary>The OIDC authority whose tokens are accepted, <c>https://login.example.com/realm</c>; in development also http on loopback. Default: none.</summary>
    public string? Authority { get; set; }

    /// <summary>The algorithms that the authority's tokens may be signed with. Default: RS256, ES256 and PS256.</summary>
    [MaxLength(9)]
    public string[]? Algorithms { get; set; }

    /// <summary>How long the authority's keys are used before they are read again, in seconds. Default: 3,600.</summary>
    [Range(10, 604_800)]
    public int KeySeconds { get; set; } = 3_600;

    /// <summary>How long to wait, in seconds, before tokens of an unknown key make this node read the keys once more. Default: 30.</summary>
    [Range(1, 3_600)]
    public int KeyRefreshSeconds { get; set; } = 30;

    /// <summary>Whether this server gives out tokens itself, see <c>docs/security.md</c>. Default: true in development, else false.</summary>
    public bool? BuiltIn { get; set; }

    /// <summary>The key that signs and checks the built-in identity's tokens (HMAC-SHA256), 32 bytes or more as UTF-8. Required with it; the same on every node.</summary>
    public string SigningKey { get; set; } = "";

    /// <summary>The issuer that the built-in identity's tokens must name. Default: realtime-aspire.</summary>
    [Required, StringLength(200, MinimumLength = 1)]
    public string Issuer { get; set; } = "realtime-aspire";

    /// <summary>The audience that tokens must name, the authority's too. Default: realtime-aspire.</summary>
    [Required, StringLength(200, MinimumLength = 1)]
    public string Audience { get; set; } = "realtime-aspire";

    /// <summary>How long a token of the built-in identity lasts, in seconds. Default: 3,600.</summary>
    [Range(10, 86_400)]
    public int TokenSeconds { get; set; } = 3_600;

    /// <summary>How far a token may be issued, or begin, in the future, in seconds: clocks differ. Default: 30.</summary>
    [Range(0, 300)]
    public int ClockSkewSeconds { get; set; } = 30;

    /// <summary>The longest token that is looked at, in characters. Default: 8,192.</summary>
    [Range(256, 65_536)]
    public int MaxTokenLength { get; set; } = 8_192;

    /// <summary>How often signing in may fail before it is locked. Default: 5.</summary>
    [Range(1, 100)]
    public int LockoutFailures { get; set; } = 5;

    /// <summary>How long it is locked then, in seconds; each further failure doubles it. Default: 30.</summary>
    [Range(1, 86_400)]
    public int LockoutSeconds { get; set; } = 30;

    /// <summary>The longest that it is locked, in seconds. Default: 3,600.</summary>
    [Range(1, 86_400)]
    public int LockoutMaxSeconds { get; set; } = 3_600;

    /// <summary>How long a refresh token lasts that nobody uses, in hours. Default: 336, which is two weeks.</summary>
    [Range(1, 8_760)]
    public int RefreshIdleHours { get; set; } = 336;

    /// <summary>How long a sign-in lasts, however often it is refreshed, in hours. Default: 2,160, which is 90 days.</summary>
    [Range(1, 87_600)]
    public int RefreshMaxHours { get; set; } = 2_160;

    /// <summary>How long a used refresh token may be sent once more, in seconds: two tabs, a lost answer. Default: 10.</summary>
    [Range(0, 60)]
    public int RefreshGraceSeconds { get; set; } = 10;

    public bool IsBuiltIn => BuiltIn is true;

    public bool HasAuthority => !string.IsNullOrWhiteSpace(Authority);

    public IReadOnlyList<string> AuthorityAlgorithms => Algorithms is { Length: > 0 } some ? some : DefaultAlgorithms;

    public TimeSpan ClockSkew => TimeSpan.FromSeconds(ClockSkewSeconds);
}
