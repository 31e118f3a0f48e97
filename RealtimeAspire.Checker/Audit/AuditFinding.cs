namespace RealtimeAspire.Checker.Audit;

/// <summary>Something that is wrong with a chain.</summary>
/// <param name="Kind">What.</param>
/// <param name="Tenant">Whose chain.</param>
/// <param name="Seq">The row; for checkpoints their number; null where there is none.</param>
/// <param name="What">A sentence for the operator.</param>
internal sealed record AuditFinding(AuditFindingKind Kind, string Tenant, long? Seq, string What)
{
    public override string ToString() => $"{Kind}: {Tenant}{(Seq is { } seq ? $" {(IsOfCheckpoint ? "checkpoint" : "row")} {seq}" : "")}: {What}";

    private bool IsOfCheckpoint => Kind is AuditFindingKind.ForgedCheckpoint or AuditFindingKind.MissingCheckpoint;
}

internal enum AuditFindingKind
{
    /// <summary>A row is not what was written.</summary>
    Changed,

    /// <summary>Rows are not there, with others behind them.</summary>
    Missing,

    /// <summary>A row is not in its place, or is there more than once.</summary>
    Reordered,

    /// <summary>Rows at the end are not there.</summary>
    CutOff,

    /// <summary>A checkpoint is not what was signed, or contradicts another.</summary>
    ForgedCheckpoint,

    /// <summary>A checkpoint is not there.</summary>
    MissingCheckpoint,

    /// <summary>It was written with a key that was not given, and cannot be judged.</summary>
    UnknownKey,
}
