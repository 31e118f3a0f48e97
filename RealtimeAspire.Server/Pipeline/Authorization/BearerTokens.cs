using System.IdentityModel.Tokens.Jwt;
using System.Security.Claims;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Http;
using RealtimeAspire.Server.Pipeline.Audit;
using RealtimeAspire.Server.Pipeline.Identity;

namespace RealtimeAspire.Server.Pipeline.Authorization;

/// <summary>Who may come in: bearer tokens in the header, or in the query of the hub and of streams, whose browser clients have no headers.</summary>
internal static class BearerTokens
{
    private const string Scheme = JwtBearerDefaults.AuthenticationScheme;
    private const string HeaderPrefix = "Bearer ";

    /// <summary>How long a token is good past its end: clocks differ, and so do a client's plans.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromSeconds(25);

    public static void AddBearerTokens(this IServiceCollection services)
    {
        services.AddSingleton<TokenIssuer>();
        services.AddSingleton<TokenSources>();
        services.AddSingleton<KnownTokens>();
        services.AddAuthentication(Scheme).AddJwtBearer();
        services.AddAuthorization();
        services.AddOptions<JwtBearerOptions>(Scheme)
            .Configure<IOptions<RealtimeOptions>, TokenSources, TimeProvider>((bearer, realtime, sources, time) => Configure(bearer, realtime.Value.Auth, sources, time));
    }

    private static void Configure(JwtBearerOptions bearer, AuthOptions auth, TokenSources sources, TimeProvider time)
    {
        // Nobody asks for it again, and a connection would keep it as long as it lasts.
        bearer.SaveToken = false;
        bearer.TokenValidationParameters = new TokenValidationParameters
        {
            IssuerValidator = (issuer, _, _) => sources.RequireIssuer(issuer),
            ValidAudience = auth.Audience,
            IssuerSigningKeyResolver = (token, _, _, _) => sources.KeysOf(token),
            ValidAlgorithms = sources.Algorithms,
            ValidateIssuerSigningKey = true,
            RequireSignedTokens = true,
            RequireExpirationTime = true,
            LifetimeValidator = (from, to, _, _) => IsAlive(from, to, time.GetUtcNow().UtcDateTime, auth.ClockSkew),
        };
        bearer.Events = new JwtBearerEvents
        {
            OnMessageReceived = context => ReadTokenAsync(context, sources, auth.MaxTokenLength),
            OnTokenValidated = AdmitAsync,
            OnChallenge = Challenge,
        };
    }

    private static bool IsAlive(DateTime? from, DateTime? to, DateTime now, TimeSpan skew) => to + Grace > now && (from is null || from - skew <= now);

    /// <summary>A token that names nobody, or one that was taken back, is refused at the door and not inside.</summary>
    private static async Task AdmitAsync(TokenValidatedContext context)
    {
        try
        {
            var (text, payload) = PartsOf(context.SecurityToken);
            var named = TokenClaims.Read(payload);
            context.HttpContext.RequestServices.GetRequiredService<TokenSources>().RequireIssued(named);
            context.HttpContext.RequestServices.GetRequiredService<KnownTokens>().Add(text, (ClaimsIdentity)context.Principal!.Identity!, named);
            var admission = context.HttpContext.RequestServices.GetRequiredService<Admission>();
            context.Principal!.AddIdentity(new CallerIdentity(await admission.AdmitAsync(named, context.HttpContext)));
        }
        catch (RealtimeException exception)
        {
            context.Fail(exception);
        }
    }

    /// <summary>Which of the two it is depends on the library's version.</summary>
    private static (string Text, string Payload) PartsOf(SecurityToken token) => token switch
    {
        JsonWebToken web => (web.EncodedToken, web.EncodedPayload),
        JwtSecurityToken jwt => (jwt.RawData, jwt.RawPayload),
        _ => throw new RealtimeException(ErrorCode.TokenInvalid),
    };

    private static async Task ReadTokenAsync(MessageReceivedContext context, TokenSources sources, int maxLength)
    {
        var header = context.Request.Headers.Authorization.ToString();
        var token = header.StartsWith(HeaderPrefix, StringComparison.OrdinalIgnoreCase) ? header[HeaderPrefix.Length..].Trim() : null;
        if (token is null && (context.Request.Path.StartsWithSegments(RealtimeServer.HubPath) || context.Request.Path == StreamApi.Path))
        {
            token = context.Request.Query["access_token"];
        }

        if (ServiceKey.Is(token))
        {
            await AdmitServiceAsync(context, token);
        }
        else if (token?.Length > maxLength)
        {
            context.Fail(new RealtimeException(ErrorCode.TokenInvalid, "The token is too long."));
        }
        else if (!string.IsNullOrEmpty(token))
        {
            await (context.HttpContext.RequestServices.GetRequiredService<KnownTokens>().Find(token) is { } known ? AdmitKnownAsync(context, known) : PrepareAsync(context, sources, token));
        }
    }

    /// <summary>What is no token of this server goes no further; for the others their key is there.</summary>
    private static async Task PrepareAsync(MessageReceivedContext context, TokenSources sources, string token)
    {
        try
        {
            await sources.PrepareAsync(token, context.HttpContext.RequestAborted);
            context.Token = token;
        }
        catch (RealtimeException exception)
        {
            context.Fail(exception);
        }
    }

    private static async Task AdmitKnownAsync(MessageReceivedContext context, KnownToken known)
    {
        try
        {
            var admission = context.HttpContext.RequestServices.GetRequiredService<Admission>();
            var caller = await admission.AdmitAsync(known.Caller, context.HttpContext);
            context.Principal = new ClaimsPrincipal([known.Claims.Clone(), new CallerIdentity(caller)]);
            context.Success();
        }
        catch (RealtimeException exception)
        {
            context.Fail(exception);
        }
    }

    private static async Task AdmitServiceAsync(MessageReceivedContext context, string key)
    {
        try
        {
            var keys = context.HttpContext.RequestServices.GetRequiredService<ServiceKeys>();
            context.Principal = new ClaimsPrincipal(new CallerIdentity(await keys.AuthenticateAsync(key, AuditSource.Of(context.HttpContext), context.HttpContext.RequestAborted)));
            context.Success();
        }
        catch (RealtimeException exception)
        {
            context.Fail(exception);
        }
    }

    private static async Task Challenge(JwtBearerChallengeContext context)
    {
        context.HandleResponse();
        var (error, sentence) = context.AuthenticateFailure switch
        {
            null => (ErrorCode.TokenRequired, null),
            RealtimeException refused => (refused.Error, refused.Message),
            _ => (ErrorCode.TokenInvalid, (string?)null),
        };
        if (context.AuthenticateFailure is { } failure)
        {
            context.HttpContext.RequestServices.GetRequiredService<AuditTrail>().Record(
                AuditAction.TokenRefused, AuditEntry.NoTenant, AuditActor.Unknown, "door", TokenFailure.ReasonOf(failure), AuditSource.Of(context.HttpContext));
        }

        if (error.Status == StatusCodes.Status401Unauthorized)
        {
            context.Response.Headers.WWWAuthenticate = error == ErrorCode.TokenRequired ? Scheme : $"{Scheme} error=\"invalid_token\"";
        }

        await Problems.From(error, sentence).ExecuteAsync(context.HttpContext);
    }
}
