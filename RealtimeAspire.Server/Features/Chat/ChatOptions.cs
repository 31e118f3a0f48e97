using System.ComponentModel.DataAnnotations;

namespace RealtimeAspire.Server.Features.Chat;

/// <summary>The section <c>Realtime:Chat</c>.</summary>
internal sealed class ChatOptions
{
    public const string Section = "Realtime:Chat";

    /// <summary>Words that no message may have, whatever their case. Default: none.</summary>
    [MaxLength(10_000)]
    public string[] BlockedWords { get; set; } = [];
}
