using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Server.Pipeline.Feeds;

/// <summary>What becomes of a position, given what the log has. Pure.</summary>
internal static class RecoveryDecision
{
    /// <param name="asked">Well-formed.</param>
    /// <param name="page">The log's events after the offset of <paramref name="asked"/>.</param>
    public static Recovery Decide(Position asked, LogPage page)
    {
        if (asked != Position.Origin && (asked.Epoch != page.Tip.Epoch || asked.Offset > page.Tip.Offset))
        {
            return Recovery.NewEpoch;
        }

        return asked.Offset < page.Floor - 1 || HasHole(asked.Offset, page) ? Recovery.Gap : Recovery.Recovered;
    }

    private static bool HasHole(long after, LogPage page)
    {
        foreach (var logged in page.Events)
        {
            if (logged.Position.Offset != ++after)
            {
                return true;
            }
        }

        return page.Events.Count == 0 && after < page.Tip.Offset;
    }
}
