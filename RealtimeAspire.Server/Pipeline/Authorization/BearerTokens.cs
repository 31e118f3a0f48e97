using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Tokens;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Http;

namespace RealtimeAspire.Server.Pipeline.Authorization;

/// <summary>Who may come in: bearer tokens in the header, or in the query of the hub, whose browser clients have no headers.</summary>
internal static class BearerTokens
{
    private const string Scheme = JwtBearerDefaults.AuthenticationScheme;
    private const string HeaderPrefix = "Bearer ";

    public static void AddBearerTokens(this IServiceCollection services)
    {
        services.AddSingleton<TokenIssuer>();
        services.AddAuthentication(Scheme).AddJwtBearer();
        services.AddAuthorization();
        services.AddOptions<JwtBearerOptions>(Scheme).Configure<IOptions<RealtimeOptions>>((bearer, realtime) => Configure(bearer, realtime.Value.Auth));
    }

    private static void Configure(JwtBearerOptions bearer, AuthOptions auth)
    {
        bearer.TokenValidationParameters = new TokenValidationParameters
        {
            ValidIssuer = auth.Issuer,
            ValidAudience = auth.Audience,
            IssuerSigningKey = TokenIssuer.KeyOf(auth),
            ValidAlgorithms = [SecurityAlgorithms.HmacSha256],
            ValidateIssuerSigningKey = true,
            RequireSignedTokens = true,
            RequireExpirationTime = true,
            ClockSkew = TimeSpan.FromSeconds(30),
        };
        bearer.Events = new JwtBearerEvents
        {
            OnMessageReceived = context => ReadToken(context, auth.MaxTokenLength),
            OnChallenge = Challenge,
        };
    }

    private static Task ReadToken(MessageReceivedContext context, int maxLength)
    {
        var header = context.Request.Headers.Authorization.ToString();
        var token = header.StartsWith(HeaderPrefix, StringComparison.OrdinalIgnoreCase) ? header[HeaderPrefix.Length..].Trim() : null;
        if (token is null && context.Request.Path.StartsWithSegments(RealtimeServer.HubPath))
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
