using System.Buffers;
using System.Diagnostics.CodeAnalysis;

namespace RealtimeAspire.Protocol;

/// <summary>
/// The name of a topic: <c>type:identifier</c>, for example <c>room:general</c> or <c>user:auth0|Ab12</c>.
/// </summary>
/// <remarks>
/// The type is <c>[a-z][a-z0-9-]{0,31}</c>, the identifier 1 to 128 of <c>[A-Za-z0-9._~@|+=-]</c>. Names are compared
/// ordinally. In a URL a name is percent-encoded.
/// </remarks>
/// <example><code>var room = TopicName.Parse("room:general"); // room.Type == "room"</code></example>
public readonly record struct TopicName
{
    /// <summary>The most characters a type has.</summary>
    public const int MaxTypeLength = 32;

    /// <summary>The most characters an identifier has.</summary>
    public const int MaxIdentifierLength = 128;

    private static readonly SearchValues<char> TypeCharacters =
        SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789-");

    private static readonly SearchValues<char> IdentifierCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~@|+=-");

    private TopicName(string value) => Value = value;

    /// <summary>The whole name. Null only in <c>default(TopicName)</c>, which names nothing.</summary>
    public string Value { get; }

    /// <summary>What kind of topic it is; the type's policy applies.</summary>
    public string Type => Value[..Value.IndexOf(':', StringComparison.Ordinal)];

    /// <summary>Which topic of its type it is.</summary>
    public string Identifier => Value[(Value.IndexOf(':', StringComparison.Ordinal) + 1)..];

    /// <summary>Parses a name.</summary>
    /// <param name="value">Untrusted input.</param>
    /// <exception cref="RealtimeException"><c>topic_invalid</c>: the text is not a topic name.</exception>
    public static TopicName Parse(string? value) =>
        TryParse(value, out var name) ? name : throw new RealtimeException(ErrorCode.TopicInvalid);

    /// <summary>Parses a name, or says that the text is none.</summary>
    /// <param name="value">Untrusted input.</param>
    /// <param name="name">The name, where the result is true.</param>
    public static bool TryParse([NotNullWhen(true)] string? value, out TopicName name)
    {
        name = default;
        var colon = value?.IndexOf(':', StringComparison.Ordinal) ?? -1;
        if (value is null || colon is < 1 or > MaxTypeLength)
        {
            return false;
        }

        var type = value.AsSpan(0, colon);
        var identifier = value.AsSpan(colon + 1);
        if (!char.IsAsciiLetterLower(type[0])
            || type.ContainsAnyExcept(TypeCharacters)
            || identifier.Length is 0 or > MaxIdentifierLength
            || identifier.ContainsAnyExcept(IdentifierCharacters))
        {
            return false;
        }

        name = new TopicName(value);
        return true;
    }

    /// <inheritdoc/>
    public override string ToString() => Value ?? "";
}
