namespace RealtimeAspire.Server.Pipeline.Topics;

/// <summary>Event names: whole, or beginnings with a last <c>*</c>.</summary>
internal static class EventPattern
{
    public static bool Matches(IReadOnlyList<string> patterns, string eventName)
    {
        foreach (var pattern in patterns)
        {
            var matches = pattern.EndsWith('*')
                ? eventName.AsSpan().StartsWith(pattern.AsSpan(0, pattern.Length - 1), StringComparison.Ordinal)
                : eventName == pattern;
            if (matches)
            {
                return true;
            }
        }

        return false;
    }
}
