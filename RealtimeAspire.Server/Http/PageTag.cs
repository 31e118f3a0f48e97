using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;
using RealtimeAspire.Server.Pipeline;

namespace RealtimeAspire.Server.Http;

/// <summary>
/// Lets a reader keep a page of a topic's past and ask whether it still holds. It always asks: rights end, and so does what a
/// topic keeps.
/// </summary>
internal static class PageTag
{
    /// <summary>Says how the page may be kept. True: the reader has it.</summary>
    /// <param name="context">The request.</param>
    /// <param name="page">What it is answered with.</param>
    /// <param name="known">Untrusted: the tags of <c>If-None-Match</c>.</param>
    public static bool IsKnown(HttpContext context, HistoryAnswer page, string? known)
    {
        var tag = new EntityTagHeaderValue($"\"{Of(page)}\"", isWeak: true);
        context.Response.Headers.CacheControl = "private, no-cache";
        context.Response.Headers.ETag = tag.ToString();
        return known is not null
            && EntityTagHeaderValue.TryParseList([known], out var tags)
            && tags.Any(other => other.Equals(EntityTagHeaderValue.Any) || other.Compare(tag, useStrongComparison: false));
    }

    // An event never changes, so where the page begins and ends says what is in it.
    private static string Of(HistoryAnswer page) =>
        $"{(page.Events.Count == 0 ? 0 : page.Events[0].Position.Offset)}-{page.Position}-{page.Recovery}-{page.Complete}";
}
