using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace RealtimeAspire.Server.Http;

/// <summary>
/// Who is refused before his body is read hears of it, and keeps his connection. Kestrel reads what nobody has read, so that the next
/// request can follow; of a body that is longer than its endpoint takes it reads nothing, and ends the connection behind an answer that
/// did not say so: under the next request, or under a client that still sends.
/// </summary>
internal sealed class UnreadBodies(RequestDelegate next)
{
    /// <summary>What Kestrel takes where nothing else is said.</summary>
    private const int MaxBytes = 30_000_000;

    public async Task InvokeAsync(HttpContext context)
    {
        if (CannotBeDropped(context.Request))
        {
            context.Response.OnStarting(
                static state =>
                {
                    var context = (HttpContext)state;
                    if (Unread(context) is not null)
                    {
                        context.Response.Headers.Connection = "close";
                    }

                    return Task.CompletedTask;
                },
                context);
        }

        await next(context);
        if (Unread(context) is { } unread)
        {
            unread.MaxRequestBodySize = MaxBytes;
        }
    }

    /// <summary>Longer than that, of unknown length, or not sent before it is asked for.</summary>
    private static bool CannotBeDropped(HttpRequest request) =>
        HttpProtocol.IsHttp11(request.Protocol) && (request.ContentLength > MaxBytes || request.Headers.TransferEncoding.Count > 0 || request.Headers.Expect.Count > 0);

    /// <summary>Null: somebody has begun to read, so Kestrel knows what to do.</summary>
    private static IHttpMaxRequestBodySizeFeature? Unread(HttpContext context) =>
        context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size ? size : null;
}
