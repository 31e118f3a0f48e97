namespace RealtimeAspire.Checker.Load;

/// <summary>A way for what a subscriber reads.</summary>
internal interface IReadingLine
{
    /// <summary>
    /// Reads every topic from where its log is and writes down what comes, until the connection ends, or has been told to
    /// move and has waited as long as it was told.
    /// </summary>
    /// <param name="connection">How many there were before.</param>
    /// <param name="over">It is no longer wanted: ends with or without an <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="Protocol.RealtimeException">Refused, or not reached.</exception>
    Task ReadAsync(int connection, CancellationToken over);
}
