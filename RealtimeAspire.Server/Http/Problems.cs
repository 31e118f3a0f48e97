using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Http;

/// <summary>Errors over HTTP: problem details with the stable <c>code</c> and whether trying again may help.</summary>
internal static class Problems
{
    public static IResult From(ErrorCode error, string? sentence = null, TimeSpan? retryAfter = null) => new Problem(error, sentence ?? error.Sentence, retryAfter);

    /// <summary>Answers every <see cref="RealtimeException"/> of the group's handlers as a problem.</summary>
    public static RouteGroupBuilder WithProblems(this RouteGroupBuilder group) => group.AddEndpointFilter(async (context, next) =>
    {
        try
        {
            return await next(context);
        }
        catch (RealtimeException exception)
        {
            return From(exception.Error, exception.Message, exception.RetryAfter);
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

    private sealed class Problem(ErrorCode error, string sentence, TimeSpan? retryAfter) : IResult
    {
        private static readonly TimeSpan Soon = TimeSpan.FromSeconds(1);

        public Task ExecuteAsync(HttpContext httpContext)
        {
            var headers = httpContext.Response.Headers;
            headers.CacheControl = "no-store";
            if (error.Status is StatusCodes.Status429TooManyRequests or StatusCodes.Status503ServiceUnavailable)
            {
                headers.RetryAfter = $"{Math.Ceiling((retryAfter ?? Soon).TotalSeconds):0}";
            }

            return TypedResults.Problem(
                detail: sentence,
                statusCode: error.Status,
                extensions: [KeyValuePair.Create<string, object?>("code", error.Code), KeyValuePair.Create<string, object?>("retryable", error.Retryable)])
                .ExecuteAsync(httpContext);
        }
    }
}
