using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Pipeline.Authorization;

/// <summary>
/// Some topics: <c>room:general</c> is one, <c>room:*</c> are all of a type, <c>room:team-*</c> those that begin so, <c>*</c> are all.
/// <c>{sub}</c> in it stands for the user: <c>user:{sub}</c> is his own.
/// </summary>
internal sealed class TopicPattern
{
    private const string Subject = "{sub}";

    private readonly string _text;
    private readonly string _before;
    private readonly string? _behindSubject;

    private TopicPattern(string text, bool isOneTopic)
    {
        (_text, IsOneTopic) = (text, isOneTopic);
        var parts = (isOneTopic ? text : text[..^1]).Split(Subject);
        (_before, _behindSubject) = (parts[0], parts.Length > 1 ? parts[1] : null);
    }

    /// <summary>It names one topic, not a group of them.</summary>
    public bool IsOneTopic { get; }

    /// <param name="text">Untrusted in its form.</param>
    /// <exception cref="FormatException">It is no pattern; the message says why.</exception>
    public static TopicPattern Parse(string text)
    {
        var isOneTopic = !text.EndsWith('*');
        var start = isOneTopic ? text : text[..^1];
        var parts = start.Split(Subject);
        // With something behind it the beginning of a name is one.
        var isWellFormed = start.Length == 0
            ? !isOneTopic
            : parts.Length <= 2 && TopicName.TryParse(string.Join('x', parts) + (isOneTopic ? "" : "x"), out _);
        return isWellFormed
            ? new TopicPattern(text, isOneTopic)
            : throw new FormatException($"'{text}' is no pattern of topics, as room:general, room:team-*, room:*, user:{Subject} and * are.");
    }

    /// <param name="topic">The topic.</param>
    /// <param name="subject">Untrusted: it stands for itself, whatever characters it has. A user named * is not everybody.</param>
    public bool Matches(TopicName topic, string subject)
    {
        var rest = topic.Value.AsSpan();
        return TrySkip(ref rest, _before)
            && (_behindSubject is null || (TrySkip(ref rest, subject) && TrySkip(ref rest, _behindSubject)))
            && (!IsOneTopic || rest.IsEmpty);
    }

    public override string ToString() => _text;

    private static bool TrySkip(ref ReadOnlySpan<char> text, string start)
    {
        if (!text.StartsWith(start, StringComparison.Ordinal))
        {
            return false;
        }

        text = text[start.Length..];
        return true;
    }
}
