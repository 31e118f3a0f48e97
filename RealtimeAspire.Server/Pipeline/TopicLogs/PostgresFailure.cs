using Npgsql;

namespace RealtimeAspire.Server.Pipeline.TopicLogs;

/// <summary>What a failed statement means for the publishes in it.</summary>
internal static class PostgresFailure
{
    /// <summary>
    /// A value of the batch is at fault: the rest succeeds without it. Everything else (connection, time-out, lock,
    /// missing table or partition) may succeed later with the same values, and its outcome is unknown.
    /// </summary>
    public static bool IsData(Exception exception) => exception switch
    {
        // Something that cannot even be written to the wire.
        NpgsqlException => exception is PostgresException { SqlState: var state } && IsDataState(state),
        InvalidCastException or ArgumentException or FormatException or OverflowException => true,
        _ => false,
    };

    // 22: data exceptions; 23: constraints, except the check that stands for "no partition for this day"; 54: a value is
    // larger than a row or an index takes.
    private static bool IsDataState(string state) =>
        state != PostgresErrorCodes.CheckViolation
        && (state.StartsWith("22", StringComparison.Ordinal) || state.StartsWith("23", StringComparison.Ordinal) || state.StartsWith("54", StringComparison.Ordinal));
}
