using Microsoft.Extensions.Options;

namespace RealtimeAspire.Web.Security;

internal static class SecurityHeaders
{
    /// <summary>
    /// Scripts, styles and images from here only, connections to here and to the API. Nothing inline: the pages have no
    /// import map, and what needs a style at run time sets it through the DOM.
    /// </summary>
    public static void UseSecurityHeaders(this WebApplication app)
    {
        var api = app.Services.GetRequiredService<IOptions<WebOptions>>().Value.ApiOrigin;
        var http = api.GetLeftPart(UriPartial.Authority);
        var socket = "ws" + http["http".Length..];
        var policy = string.Join("; ",
            "default-src 'self'",
            $"connect-src 'self' {http} {socket}",
            "style-src 'self'",
            // What the page has fetched with the user's token.
            "img-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'");

        app.Use((context, next) =>
        {
            var headers = context.Response.Headers;
            headers.ContentSecurityPolicy = policy;
            headers.XContentTypeOptions = "nosniff";
            headers.XFrameOptions = "DENY";
            headers["Referrer-Policy"] = "same-origin";
            headers["Cross-Origin-Opener-Policy"] = "same-origin";
            headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()";
            return next(context);
        });
    }
}
