using System.Diagnostics.CodeAnalysis;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Web.Pages.Rooms;

/// <summary>A room's name, its topic and its page's address.</summary>
internal static class RoomLink
{
    private const string Path = "/rooms/";

    public static string To(string name) => Path + Uri.EscapeDataString(name);

    /// <summary>The room whose page this is, if it is one.</summary>
    public static string? NameIn(Uri page) =>
        page.AbsolutePath.StartsWith(Path, StringComparison.Ordinal) ? Uri.UnescapeDataString(page.AbsolutePath[Path.Length..]) : null;

    /// <summary>Untrusted input becomes a room's topic. Names are compared as they are written.</summary>
    public static bool TryParseTopic([NotNullWhen(true)] string? name, out TopicName topic) => TopicName.TryParse($"room:{name}", out topic);

    /// <summary>What somebody typed as a room becomes its topic, or a sentence that says what is wrong with it.</summary>
    public static bool TryRead(string input, out TopicName topic, [NotNullWhen(false)] out string? problem)
    {
        var name = string.Join('-', input.TrimStart('#').Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        problem = name switch
        {
            "" => "Enter the name of a room.",
            { Length: > TopicName.MaxIdentifierLength } => $"A room's name has at most {TopicName.MaxIdentifierLength} characters.",
            _ when !TryParseTopic(name, out _) => "Use letters from a to z, digits, dots, dashes and underscores only.",
            _ => null,
        };
        _ = TryParseTopic(name, out topic);
        return problem is null;
    }
}
