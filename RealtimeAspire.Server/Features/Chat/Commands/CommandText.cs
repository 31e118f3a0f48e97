using System.Globalization;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Features.Chat.Commands;

/// <summary>What somebody has typed behind a slash.</summary>
/// <param name="Name">The command.</param>
/// <param name="Rest">What follows it.</param>
internal readonly record struct CommandText(string Name, string Rest)
{
    private const int MaxNameLength = 32;
    private const int MaxDigits = 8;

    /// <summary>The first word of the rest, without the @ of a user.</summary>
    public string User => Words.Length > 0 ? Words[0].TrimStart('@') : "";

    public string[] Words => Rest.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    public static bool IsName(string? name) =>
        name is { Length: > 0 and <= MaxNameLength } && char.IsAsciiLetterLower(name[0]) && name.All(static character => char.IsAsciiLetterLower(character) || char.IsAsciiDigit(character) || character == '-');

    /// <param name="text">Untrusted.</param>
    /// <exception cref="RealtimeException"><c>request_invalid</c>.</exception>
    public static CommandText Parse(string? text)
    {
        var trimmed = text?.Trim() ?? "";
        var end = trimmed.IndexOfAny([' ', '\n', '\t']);
        var name = trimmed.StartsWith('/') ? trimmed[1..(end < 0 ? trimmed.Length : end)].ToLowerInvariant() : "";
        return IsName(name)
            ? new CommandText(name, end < 0 ? "" : trimmed[end..].Trim())
            : throw new RealtimeException(ErrorCode.RequestInvalid, "A command is a slash, a name of letters, digits and -, and what follows it: /help");
    }

    /// <summary>A time as people write it: 30, 30s, 10m, 2h, 1d. Null: it is none.</summary>
    public static int? ToSeconds(string text)
    {
        var unit = text.Length == 0 ? 0 : text[^1] switch { 's' => 1, 'm' => 60, 'h' => 3_600, 'd' => 86_400, _ => 0 };
        var digits = unit == 0 ? text : text[..^1];
        return digits.Length <= MaxDigits && long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number * Math.Max(unit, 1) is var seconds and <= int.MaxValue
            ? (int)seconds
            : null;
    }
}
