using System.ComponentModel.DataAnnotations;

namespace RealtimeAspire.Server.Features.Chat;

/// <summary>The section <c>Realtime:Chat</c>.</summary>
internal sealed class ChatOptions
{
    public const string Section = "Realtime:Chat";

    /// <summary>Words that no message may have, whatever their case. Default: none.</summary>
    [MaxLength(10_000)]
    public string[] BlockedWords { get; set; } = [];

    /// <summary>The largest file, in bytes. Default: 10 MiB.</summary>
    [Range(1, 256 * 1024 * 1024)]
    public int FileBytes { get; set; } = 10 * 1024 * 1024;

    /// <summary>The types of files that are taken, as their contents say; others than those of the default are not told apart. Default: pictures, PDF, plain text, MP4, WebM, MP3, Ogg.</summary>
    [MaxLength(100)]
    public string[]? FileTypes { get; set; }

    /// <summary>The folder that keeps files, which all nodes share. Default: none, they are in PostgreSQL.</summary>
    [StringLength(4_096, MinimumLength = 1)]
    public string? FileFolder { get; set; }

    /// <summary>How wide and high thumbnails are at most, in pixels. Default: 480.</summary>
    [Range(16, 2_048)]
    public int ThumbnailPixels { get; set; } = 480;
}
