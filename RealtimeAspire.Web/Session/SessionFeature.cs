using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.Cookies;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.DataProtection.KeyManagement;
using Microsoft.AspNetCore.DataProtection.Repositories;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.Options;
using RealtimeAspire.Web.Api;

namespace RealtimeAspire.Web.Session;

/// <summary>Who is signed in: a protected cookie with the name and the API token.</summary>
internal static class SessionFeature
{
    public const string Scheme = CookieAuthenticationDefaults.AuthenticationScheme;

    /// <summary>The page tries again by itself, so it is told soon.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    public static void AddSession(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddScoped<ApiSession>();
        builder.Services.AddCascadingAuthenticationState();
        builder.Services.AddAuthorization();
        builder.Services.AddAuthentication(Scheme).AddCookie(options =>
        {
            options.Cookie.Name = "realtime-session";
            options.Cookie.SameSite = SameSiteMode.Lax;
            options.ExpireTimeSpan = TimeSpan.FromDays(14);
            options.LoginPath = "/sign-in";
            options.ReturnUrlParameter = "to";
        });
        builder.Services.AddAntiforgery(options =>
        {
            options.Cookie.Name = "realtime-antiforgery";
            options.SuppressXFrameOptionsHeader = true;
        });
        builder.Services.AddDataProtection().SetApplicationName("RealtimeAspire.Web");
        builder.Services.AddSingleton<IConfigureOptions<KeyManagementOptions>, KeptKeys>();
    }

    public static void MapSession(this WebApplication app)
    {
        var session = app.MapGroup("/session").ExcludeFromDescription().WithMetadata(new SkipStatusCodePagesAttribute());
        session.MapGet("/token", GetToken).RequireAuthorization();
        session.MapPost("/end", End);
    }

    /// <summary>The page's module asks here for the token. Never cached, never for another site's page.</summary>
    private static async Task<Results<Ok<IssuedToken>, ProblemHttpResult>> GetToken(
        HttpContext context, ApiSession session, TimeProvider time, bool renew = false)
    {
        context.Response.Headers.CacheControl = "no-store";
        if (context.Request.Headers["Sec-Fetch-Site"] is [{ } site] && site != "same-origin")
        {
            return TypedResults.Problem("Only this site's own pages get a token.", statusCode: StatusCodes.Status403Forbidden);
        }

        using var patience = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        patience.CancelAfter(Patience);
        try
        {
            var token = await session.GetTokenAsync(context.User, renew, patience.Token);
            if (token.Value != context.User.FindFirst(ApiSession.TokenClaim)?.Value)
            {
                await context.SignInAsync(Scheme, ApiSession.ToPrincipal(context.User.Identity!.Name!, token), Persistent);
            }

            return TypedResults.Ok(new IssuedToken(token.Value, (int)(token.ExpiresAt - time.GetUtcNow()).TotalSeconds));
        }
        catch (ApiException exception)
        {
            return TypedResults.Problem(exception.Message, statusCode: StatusCodes.Status503ServiceUnavailable);
        }
    }

    /// <summary>The cookie outlives the browser's window.</summary>
    public static AuthenticationProperties Persistent => new() { IsPersistent = true };

    private static async Task<Results<RedirectHttpResult, BadRequest>> End(HttpContext context, IAntiforgery antiforgery)
    {
        if (!await antiforgery.IsRequestValidAsync(context))
        {
            return TypedResults.BadRequest();
        }

        await context.SignOutAsync(Scheme);
        return TypedResults.LocalRedirect("/sign-in");
    }
}

/// <summary>Keeps the keys that protect the cookie, so that a restart signs nobody out.</summary>
internal sealed class KeptKeys(IOptions<WebOptions> options, ILoggerFactory loggers) : IConfigureOptions<KeyManagementOptions>
{
    public void Configure(KeyManagementOptions management)
    {
        var data = Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify);
        var folder = options.Value.KeysFolder ?? (data == "" ? null : Path.Combine(data, "RealtimeAspire", "web-keys"));
        if (folder is null)
        {
            return;
        }

        management.XmlRepository = new FileSystemXmlRepository(Directory.CreateDirectory(folder), loggers);
    }
}
