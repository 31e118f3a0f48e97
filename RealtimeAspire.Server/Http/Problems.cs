using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Http;

/// <summary>Errors over HTTP: problem details with the stable <c>code</c> and whether trying again may help.</summary>
internal static class Problems
{
    public static IResult From(ErrorCode error, string? sentence = null) => new Problem(error, sentence ?? error.Sentence, null, []);

    /// <param name="exception">The error.</param>
    /// <param name="more">What a program needs beside its code.</param>
    public static IResult From(RealtimeException exception, params (string Name, string Value)[] more) => new Problem(exception.Error, exception.Message, exception.RetryAfter, more);

    /// <summary>Answers every <see cref="RealtimeException"/> of the group's handlers as a problem, and what no handler has a use for: PostgreSQL has no U+0000.</summary>
    public static RouteGroupBuilder WithProblems(this RouteGroupBuilder group) => group.AddEndpointFilter(async (context, next) =>
    {
        if (context.HttpContext.Request.QueryString.Value?.Contains("%00", StringComparison.Ordinal) is true)
        {
            return From(ErrorCode.RequestInvalid, "There is no U+0000 in what an address asks for.");
        }

        try
        {
            return await next(context);
        }
        catch (RealtimeException exception)
        {
            return From(exception);
        }
    });

    /// <summary>A request that breaks off or breaks the rules of HTTP is no fault of the server.</summary>
    public static int StatusOf(Exception exception) =>
        exception is BadHttpRequestException bad ? bad.StatusCode : StatusCodes.Status500InternalServerError;

    /// <summary>Gives the framework's own problems (no such address, a fault) their code.</summary>
    public static void Complete(ProblemDetailsContext context)
    {
        var error = context.ProblemDetails.Status switch
        {
            StatusCodes.Status401Unauthorized => ErrorCode.TokenRequired,
            StatusCodes.Status403Forbidden => ErrorCode.Forbidden,
            StatusCodes.Status404NotFound => ErrorCode.NotFound,
            StatusCodes.Status405MethodNotAllowed => ErrorCode.MethodNotAllowed,
            StatusCodes.Status413PayloadTooLarge => ErrorCode.PayloadTooLarge,
            StatusCodes.Status415UnsupportedMediaType => ErrorCode.MediaTypeUnsupported,
            >= StatusCodes.Status500InternalServerError => ErrorCode.Internal,
            _ => ErrorCode.RequestInvalid,
        };
        context.ProblemDetails.Detail ??= error.Sentence;
        context.ProblemDetails.Extensions.TryAdd("code", error.Code);
        context.ProblemDetails.Extensions.TryAdd("retryable", error.Retryable);
    }

    private sealed class Problem(ErrorCode error, string sentence, TimeSpan? retryAfter, (string Name, string Value)[] more) : IResult
    {
        private static readonly TimeSpan Default = TimeSpan.FromSeconds(1);

        public Task ExecuteAsync(HttpContext httpContext)
        {
            var headers = httpContext.Response.Headers;
            headers.CacheControl = "no-store";
            if (error.Status is StatusCodes.Status429TooManyRequests or StatusCodes.Status503ServiceUnavailable)
            {
                // Whole seconds, at least one.
                headers.RetryAfter = Math.Max(1, (long)Math.Ceiling((retryAfter ?? Default).TotalSeconds)).ToString(CultureInfo.InvariantCulture);
            }

            Dictionary<string, object?> extensions = new() { ["code"] = error.Code, ["retryable"] = error.Retryable };
            if (retryAfter is { } wait)
            {
                extensions["retryAfterMs"] = (long)Math.Ceiling(wait.TotalMilliseconds);
            }

            foreach (var (name, value) in more)
            {
                extensions[name] = value;
            }

            return TypedResults.Problem(detail: sentence, statusCode: error.Status, extensions: extensions).ExecuteAsync(httpContext);
        }
    }
}
