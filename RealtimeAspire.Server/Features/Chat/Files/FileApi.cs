using System.ComponentModel;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Options;
using Microsoft.Net.Http.Headers;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Http;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Features.Chat.Files;

/// <summary>Files over HTTP.</summary>
internal static class FileApi
{
    private const int MaxName = 255;

    private static readonly ErrorCode[] Errors =
    [
        ErrorCode.Forbidden, ErrorCode.Denied, ErrorCode.HookUnavailable, ErrorCode.RateLimited, ErrorCode.LogUnavailable, ErrorCode.Overloaded,
    ];

    public static void MapUploads(this RouteGroupBuilder rooms) => rooms.MapPost("/{room}/attachments", UploadAsync)
        .WithSummary("Takes a file, the body, for messages of the caller's in the room.")
        .Produces<FileEntry>(StatusCodes.Status201Created)
        .WithErrors([.. Errors, ErrorCode.RequestInvalid, ErrorCode.TopicInvalid, ErrorCode.TopicTypeUnknown, ErrorCode.EventNotAllowed, ErrorCode.PayloadTooLarge, ErrorCode.FileRefused]);

    public static void MapFiles(this RouteGroupBuilder files)
    {
        files.MapMethods("/{id}", ReadMethods.All, (string id, HttpContext context, RoomDoor door, ChatFiles store) => DownloadAsync(id, context, door, store, isSmall: false))
            .WithSummary("A file of a message that the caller may read.")
            .Produces(StatusCodes.Status200OK, contentType: "application/octet-stream")
            .WithErrors([.. Errors, ErrorCode.NotFound]);
        files.MapMethods("/{id}/thumbnail", ReadMethods.All, (string id, HttpContext context, RoomDoor door, ChatFiles store) => DownloadAsync(id, context, door, store, isSmall: true))
            .WithSummary("A small version of a picture.")
            .Produces(StatusCodes.Status200OK, contentType: Thumbnails.Type)
            .WithErrors([.. Errors, ErrorCode.NotFound]);
    }

    private static async Task<JsonHttpResult<FileEntry>> UploadAsync(
        string room,
        HttpContext context,
        RoomDoor door,
        ChatFiles files,
        TopicAccess access,
        TopicCatalog topics,
        IOptions<ChatOptions> options,
        [Description("What it is called, 1 to 255 characters without control characters, / and \\.")] string? name)
    {
        if (name is not { Length: > 0 and <= MaxName } || name.Any(char.IsControl) || name.AsSpan().ContainsAny('/', '\\'))
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, $"'name' is 1 to {MaxName} characters without control characters, / and \\.");
        }

        var view = await door.EnterAsync(context, room);
        access.RequirePublish(view.Caller, topics.Get(view.Topic), view.Topic.Name, ChatFeature.MessageEvent);
        var content = await ReadAsync(context, options.Value.FileBytes);
        var file = await files.SaveAsync(view, name, content, context.RequestAborted);
        return TypedResults.Json(file, ChatJson.Default.FileEntry, statusCode: StatusCodes.Status201Created);
    }

    private static async Task<FileContentHttpResult> DownloadAsync(string id, HttpContext context, RoomDoor door, ChatFiles files, bool isSmall)
    {
        var file = await files.FindAsync(Caller.From(context.User).Tenant, id, context.RequestAborted) ?? throw new RealtimeException(ErrorCode.NotFound, "There is no such file.");
        var view = await door.EnterAsync(context, file.Topic.Identifier);
        if (!await files.MayReadAsync(view, file, context.RequestAborted)
            || await files.ReadAsync(view.Topic.Tenant, file.Entry, isSmall, context.RequestAborted) is not { } content)
        {
            throw new RealtimeException(ErrorCode.NotFound, "There is no such file.");
        }

        var (headers, isPicture) = (context.Response.Headers, FileKind.IsPicture(file.Entry.Type));
        // Whatever a browser would make of it: it is what it says, and nothing of it runs.
        headers.XContentTypeOptions = "nosniff";
        headers.ContentSecurityPolicy = "default-src 'none'; sandbox";
        headers.CacheControl = "private, max-age=3600";
        var disposition = new ContentDispositionHeaderValue(isPicture ? "inline" : "attachment");
        disposition.SetHttpFileName(file.Entry.Name);
        headers.ContentDisposition = disposition.ToString();
        return TypedResults.File(content, isSmall ? Thumbnails.Type : file.Entry.Type, enableRangeProcessing: true, entityTag: new EntityTagHeaderValue($"\"{id}{(isSmall ? "-small" : "")}\""));
    }

    /// <exception cref="RealtimeException"><c>payload_too_large</c>.</exception>
    private static async Task<byte[]> ReadAsync(HttpContext context, int limit)
    {
        var length = context.Request.ContentLength;
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
        {
            // The group's own is for JSON. One more: so it is told by its own name what is too long.
            size.MaxRequestBodySize = limit + 1L;
        }

        if (length > limit)
        {
            throw TooLarge(limit);
        }

        // As large as what has come, not as what was announced.
        using var content = new MemoryStream();
        try
        {
            await context.Request.Body.CopyToAsync(content, context.RequestAborted);
        }
        catch (BadHttpRequestException exception) when (exception.StatusCode == StatusCodes.Status413PayloadTooLarge)
        {
            throw TooLarge(limit);
        }

        return content.Length <= limit ? content.ToArray() : throw TooLarge(limit);
    }

    private static RealtimeException TooLarge(int limit) => new(ErrorCode.PayloadTooLarge, $"A file has at most {limit} bytes.");
}
