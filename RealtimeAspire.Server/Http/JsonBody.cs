using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Http;

/// <summary>Reads untrusted JSON, with our errors instead of the framework's.</summary>
internal static class JsonBody
{
    /// <summary>Lets the endpoints of a group take bodies up to so many bytes; a longer one is refused before it is read.</summary>
    public static RouteGroupBuilder WithBodyLimit(this RouteGroupBuilder group, long bytes) =>
        group.WithMetadata(new RequestSizeLimitAttribute(bytes));

    /// <exception cref="RealtimeException"><c>media_type_unsupported</c>, <c>request_invalid</c>, <c>payload_too_large</c>.</exception>
    public static async Task<JsonDocument> ReadAsync(HttpRequest request)
    {
        if (!request.HasJsonContentType())
        {
            throw new RealtimeException(ErrorCode.MediaTypeUnsupported);
        }

        try
        {
            return await JsonDocument.ParseAsync(request.Body, cancellationToken: request.HttpContext.RequestAborted);
        }
        catch (JsonException exception)
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, "The body is not JSON, or is nested too deeply.", exception);
        }
        catch (BadHttpRequestException exception) when (exception.StatusCode == StatusCodes.Status413PayloadTooLarge)
        {
            throw new RealtimeException(ErrorCode.PayloadTooLarge, "The body is larger than this server takes.", exception);
        }
    }

    /// <exception cref="RealtimeException"><c>request_invalid</c>.</exception>
    public static T To<T>(JsonElement element, JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return element.Deserialize(type) ?? throw new RealtimeException(ErrorCode.RequestInvalid);
        }
        catch (JsonException exception)
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, $"The request has not the expected form at {exception.Path}.", exception);
        }
    }
}
