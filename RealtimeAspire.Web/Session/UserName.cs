using System.Diagnostics.CodeAnalysis;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Web.Session;

/// <summary>A name to sign in with. It has a topic of its own, so it follows the rule for identifiers.</summary>
internal static class UserName
{
    public const int MaxLength = 64;

    /// <summary>Untrusted input becomes a name, or a sentence that says what is wrong with it.</summary>
    public static bool TryParse(string? input, out string name, [NotNullWhen(false)] out string? problem)
    {
        name = input?.Trim() ?? "";
        problem = name switch
        {
            "" => "Enter a name.",
            { Length: > MaxLength } => $"A name has at most {MaxLength} characters.",
            _ when !TopicName.TryParse($"user:{name}", out _) => "Use letters from a to z, digits, dots, dashes and underscores, without spaces.",
            _ => null,
        };
        return problem is null;
    }
}
