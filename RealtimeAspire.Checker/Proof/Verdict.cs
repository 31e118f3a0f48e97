using System.Text;

namespace RealtimeAspire.Checker.Proof;

/// <summary>Whether every promise held, and each way in which one did not.</summary>
internal sealed record Verdict(IReadOnlyList<Violation> Violations)
{
    private const int Shown = 20;

    public bool Held => Violations.Count == 0;

    public override string ToString()
    {
        if (Held)
        {
            return "Every promise held.";
        }

        var text = new StringBuilder().Append(null, $"{Violations.Count} violations:");
        foreach (var violation in Violations.Take(Shown))
        {
            text.AppendLine().Append("  ").Append(violation);
        }

        return Violations.Count > Shown ? text.AppendLine().Append(null, $"  … and {Violations.Count - Shown} more").ToString() : text.ToString();
    }
}

/// <summary>A promise that did not hold.</summary>
/// <param name="Kind">Which.</param>
/// <param name="Topic">Where.</param>
/// <param name="Offset">At which offset, where there is one.</param>
/// <param name="Who">The subscriber or publisher, or the history.</param>
/// <param name="Expected">What was expected, and what was there instead.</param>
internal sealed record Violation(ViolationKind Kind, string Topic, long? Offset, string Who, string Expected)
{
    public override string ToString() => $"{Kind}: {Topic}{(Offset is { } offset ? $" at {offset}" : "")}, {Who}: {Expected}";
}

internal enum ViolationKind
{
    /// <summary>An acknowledged event is not where it has to be.</summary>
    Lost,

    /// <summary>Offsets jumped, and nobody was told.</summary>
    Hole,

    /// <summary>An event came twice, or is twice in the log.</summary>
    Doubled,

    /// <summary>An event came after a later one.</summary>
    OutOfOrder,

    /// <summary>An event that nobody has published.</summary>
    Foreign,

    /// <summary>An event with another payload than the one that was published.</summary>
    Altered,

    /// <summary>Two have seen different events at one position, or an acknowledgement says another position or time than the event.</summary>
    Disagreement,

    /// <summary>A retry got another outcome than the first try, or a publish was new twice.</summary>
    TwoOutcomes,

    /// <summary>A publisher's own events, or events one of which was acknowledged before the other was sent, are the wrong way round.</summary>
    PublisherOrder,

    /// <summary>Timestamps fell within a topic.</summary>
    Timestamp,

    /// <summary>Another incarnation of the log, and the subscriber was not told.</summary>
    SilentEpoch,

    /// <summary>A subscriber of a durable topic was told that events are gone.</summary>
    ToldLost,

    /// <summary>With `gap` or `new_epoch` came events.</summary>
    PartialRecovery,
}
