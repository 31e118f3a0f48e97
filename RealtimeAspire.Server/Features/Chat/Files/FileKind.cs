using System.Text.Unicode;

namespace RealtimeAspire.Server.Features.Chat.Files;

/// <summary>What kind of file it is, by its content: what an uploader or a name says of it does not count.</summary>
internal static class FileKind
{
    public const string Text = "text/plain";

    private const int Mp4BrandAt = 4;

    /// <summary>All that are told apart.</summary>
    public static readonly IReadOnlyList<string> Known =
    [
        "image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf", "video/mp4", "video/webm", "audio/mpeg", "audio/ogg", Text,
    ];

    /// <summary>Null: none of those that are known.</summary>
    public static string? Of(ReadOnlySpan<byte> content)
    {
        return content switch
        {
            [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A, ..] => "image/png",
            [0xFF, 0xD8, 0xFF, ..] => "image/jpeg",
            [(byte)'G', (byte)'I', (byte)'F', (byte)'8', (byte)'7' or (byte)'9', (byte)'a', ..] => "image/gif",
            [(byte)'R', (byte)'I', (byte)'F', (byte)'F', _, _, _, _, (byte)'W', (byte)'E', (byte)'B', (byte)'P', ..] => "image/webp",
            [(byte)'%', (byte)'P', (byte)'D', (byte)'F', (byte)'-', ..] => "application/pdf",
            [0x1A, 0x45, 0xDF, 0xA3, ..] => "video/webm",
            [(byte)'I', (byte)'D', (byte)'3', ..] or [0xFF, 0xFB or 0xF3 or 0xF2, ..] => "audio/mpeg",
            [(byte)'O', (byte)'g', (byte)'g', (byte)'S', ..] => "audio/ogg",
            _ when content.Length > Mp4BrandAt && content[Mp4BrandAt..].StartsWith("ftyp"u8) => "video/mp4",
            _ => IsText(content) ? Text : null,
        };
    }

    public static bool IsPicture(string type) => type.StartsWith("image/", StringComparison.Ordinal);

    /// <summary>UTF-8 without control characters, but those of lines.</summary>
    private static bool IsText(ReadOnlySpan<byte> content)
    {
        if (content.Length == 0 || !Utf8.IsValid(content))
        {
            return false;
        }

        foreach (var unit in content)
        {
            if (unit is < 0x20 and not ((byte)'\t' or (byte)'\n' or (byte)'\r' or (byte)'\f') or 0x7F)
            {
                return false;
            }
        }

        return true;
    }
}
