using System.ComponentModel.DataAnnotations;

namespace RealtimeAspire.Server.Pipeline.Authorization;

/// <summary>The section <c>Realtime:Auth</c>.</summary>
internal sealed class AuthOptions
{
    public const int MinKeyBytes = 32;

    /// <summary>The key that signs and checks tokens (HMAC-SHA256), 32 bytes or more as UTF-8. Required; the same on every node.</summary>
    public string SigningKey { get; set; } = "";

    /// <summary>The issuer that tokens must name. Default: realtime-aspire.</summary>
    [Required, StringLength(200, MinimumLength = 1)]
    public string Issuer { get; set; } = "realtime-aspire";

    /// <summary>The audience that tokens must name. Default: realtime-aspire.</summary>
    [Required, StringLength(200, MinimumLength = 1)]
    public string Audience { get; set; } = "realtime-aspire";

    /// <summary>How long a development token lasts, in seconds. Default: 3,600.</summary>
    [Range(10, 86_400)]
    public int TokenSeconds { get; set; } = 3_600;

    /// <summary>The longest token that is looked at, in characters. Default: 8,192.</summary>
    [Range(256, 65_536)]
    public int MaxTokenLength { get; set; } = 8_192;
}
