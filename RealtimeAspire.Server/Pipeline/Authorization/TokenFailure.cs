using Microsoft.IdentityModel.Tokens;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Pipeline.Authorization;

/// <summary>Why a token was refused, as one word for the audit trail. The client is told less.</summary>
internal static class TokenFailure
{
    public static string ReasonOf(Exception? failure) => failure switch
    {
        null => "missing",
        SecurityTokenExpiredException => "expired",
        SecurityTokenNotYetValidException => "not_yet_valid",
        SecurityTokenInvalidLifetimeException or SecurityTokenNoExpirationException => "lifetime",
        SecurityTokenInvalidIssuerException => "issuer",
        SecurityTokenInvalidAudienceException => "audience",
        SecurityTokenInvalidAlgorithmException => "algorithm",
        SecurityTokenSignatureKeyNotFoundException => "key",
        SecurityTokenInvalidSignatureException => "signature",
        RealtimeException { InnerException: SecurityTokenException inner } => ReasonOf(inner),
        RealtimeException refused => refused.Code,
        AggregateException { InnerExceptions: [var only] } => ReasonOf(only),
        _ => "malformed",
    };
}
