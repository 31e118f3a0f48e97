using Microsoft.AspNetCore.Http;

namespace RealtimeAspire.Server.Http;

/// <summary>
/// Answers <c>OPTIONS</c> at every address that there is: routing has found that no endpoint takes the method, and has listed in
/// <c>Allow</c> those that are taken. Preflights never come here; CORS has answered them.
/// </summary>
internal sealed class OptionsAnswer(RequestDelegate next)
{
    public async Task InvokeAsync(HttpContext context)
    {
        await next(context);
        if (HttpMethods.IsOptions(context.Request.Method) && context.Response is { StatusCode: StatusCodes.Status405MethodNotAllowed, HasStarted: false } response)
        {
            response.StatusCode = StatusCodes.Status204NoContent;
        }
    }
}
