namespace RealtimeAspire.Checker.Load;

/// <summary>Counts of a run under way, and its one clock of ticks.</summary>
internal sealed class Tally
{
    private long _tick;
    private int _acknowledged;
    private int _retried;
    private int _received;
    private int _reconnected;
    private int _toldLost;

    public int Acknowledged => Volatile.Read(ref _acknowledged);

    public int Retried => Volatile.Read(ref _retried);

    public int Received => Volatile.Read(ref _received);

    public int Reconnected => Volatile.Read(ref _reconnected);

    /// <summary>How often a subscriber was told <c>gap</c> or <c>new_epoch</c>.</summary>
    public int ToldLost => Volatile.Read(ref _toldLost);

    /// <summary>A moment: later than all that were taken before.</summary>
    public long Tick() => Interlocked.Increment(ref _tick);

    public void Acknowledge() => Interlocked.Increment(ref _acknowledged);

    public void Retry() => Interlocked.Increment(ref _retried);

    public void Receive(int count) => Interlocked.Add(ref _received, count);

    public void Reconnect() => Interlocked.Increment(ref _reconnected);

    public void TellLost() => Interlocked.Increment(ref _toldLost);

    public override string ToString() =>
        $"{Acknowledged:N0} acknowledged, {Retried:N0} retries, {Received:N0} received, {Reconnected:N0} reconnects, told of {ToldLost:N0} losses";
}
