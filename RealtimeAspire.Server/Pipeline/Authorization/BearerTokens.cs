using System.Globalization;
using System.Security.Claims;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Tokens;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Http;

namespace RealtimeAspire.Server.Pipeline.Authorization;

/// <summary>Who may come in: bearer tokens in the header, or in the query of the hub and of streams, whose browser clients have no headers.</summary>
internal static class BearerTokens
{
    private const string Scheme = JwtBearerDefaults.AuthenticationScheme;
    private const long LastSecond = 253_402_300_799;
    private const string HeaderPrefix = "Bearer ";

    /// <summary>How long a token is good past its end, and before its beginning: clocks differ, and so do a client's plans.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromSeconds(25);

    public static void AddBearerTokens(this IServiceCollection services)
    {
        services.AddSingleton<TokenIssuer>();
        services.AddAuthentication(Scheme).AddJwtBearer();
        services.AddAuthorization();
        services.AddOptions<JwtBearerOptions>(Scheme)
            .Configure<IOptions<RealtimeOptions>, TimeProvider>((bearer, realtime, time) => Configure(bearer, realtime.Value.Auth, time));
    }

    /// <summary>When the token that came with the connection expires.</summary>
    public static DateTimeOffset? ExpiryOf(ClaimsPrincipal? principal) =>
        long.TryParse(principal?.FindFirstValue("exp"), NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) && seconds <= LastSecond
            ? DateTimeOffset.FromUnixTimeSeconds(seconds)
            : null;

    private static void Configure(JwtBearerOptions bearer, AuthOptions auth, TimeProvider time)
    {
        // Nobody asks for it again, and a connection would keep it as long as it lasts.
        bearer.SaveToken = false;
        bearer.TokenValidationParameters = new TokenValidationParameters
        {
            ValidIssuer = auth.Issuer,
            ValidAudience = auth.Audience,
            IssuerSigningKey = TokenIssuer.KeyOf(auth),
            ValidAlgorithms = [SecurityAlgorithms.HmacSha256],
            ValidateIssuerSigningKey = true,
            RequireSignedTokens = true,
            RequireExpirationTime = true,
            LifetimeValidator = (from, to, _, _) => IsAlive(from, to, time.GetUtcNow().UtcDateTime),
        };
        bearer.Events = new JwtBearerEvents
        {
            OnMessageReceived = context => ReadToken(context, auth.MaxTokenLength),
            OnTokenValidated = RequireSubject,
            OnChallenge = Challenge,
        };
    }

    private static bool IsAlive(DateTime? from, DateTime? to, DateTime now) => to + Grace > now && (from is null || from - Grace <= now);

    /// <summary>A token that names nobody is refused at the door and not inside.</summary>
    private static Task RequireSubject(TokenValidatedContext context)
    {
        try
        {
            Caller.From(context.Principal);
        }
        catch (RealtimeException exception)
        {
            context.Fail(exception);
        }

        return Task.CompletedTask;
    }

    private static Task ReadToken(MessageReceivedContext context, int maxLength)
    {
        var header = context.Request.Headers.Authorization.ToString();
        var token = header.StartsWith(HeaderPrefix, StringComparison.OrdinalIgnoreCase) ? header[HeaderPrefix.Length..].Trim() : null;
        if (token is null && (context.Request.Path.StartsWithSegments(RealtimeServer.HubPath) || context.Request.Path == StreamApi.Path))
        {
            token = context.Request.Query["access_token"];
        }

        // Three parts: signed and not encrypted.
        if (token?.Length > maxLength || (!string.IsNullOrEmpty(token) && token.Count('.') != 2))
        {
            context.Fail("The token is too long or not a signed one.");
            return Task.CompletedTask;
        }

        context.Token = token;
        return Task.CompletedTask;
    }

    private static async Task Challenge(JwtBearerChallengeContext context)
    {
        context.HandleResponse();
        var error = context.AuthenticateFailure is null ? ErrorCode.TokenRequired : ErrorCode.TokenInvalid;
        context.Response.Headers.WWWAuthenticate = error == ErrorCode.TokenRequired ? Scheme : $"{Scheme} error=\"invalid_token\"";
        await Problems.From(error).ExecuteAsync(context.HttpContext);
    }
}
