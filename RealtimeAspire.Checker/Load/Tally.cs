using System.Collections.Concurrent;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Checker.Load;

/// <summary>Counts of a run under way, and its one clock of ticks.</summary>
internal sealed class Tally
{
    private readonly ConcurrentDictionary<long, bool> _underWay = new();
    private readonly ConcurrentQueue<(string Who, string? Code)> _farewells = new();
    private long _tick;
    private int _acknowledged;
    private int _retried;
    private int _unknown;
    private int _received;
    private int _reconnected;
    private int _toldLost;

    public int Acknowledged => Volatile.Read(ref _acknowledged);

    public int Retried => Volatile.Read(ref _retried);

    /// <summary>Attempts to publish whose outcome the publisher was not told.</summary>
    public int Unknown => Volatile.Read(ref _unknown);

    public int Received => Volatile.Read(ref _received);

    public int Reconnected => Volatile.Read(ref _reconnected);

    /// <summary>How often a subscriber was told <c>gap</c> or <c>new_epoch</c>.</summary>
    public int ToldLost => Volatile.Read(ref _toldLost);

    /// <summary>Connections of the hub and streams that the other side ended without a word.</summary>
    public IEnumerable<string> Untold => _farewells.Where(farewell => farewell.Code is null).Select(farewell => farewell.Who);

    /// <summary>Attempts to publish that are not answered.</summary>
    public int UnderWay => _underWay.Count;

    /// <summary>Whether an attempt that was sent before that moment is not answered yet.</summary>
    public bool IsUnderWaySince(long tick) => _underWay.Keys.Any(sent => sent < tick);

    /// <summary>Connections of the hub and streams that were told that they end, with this code.</summary>
    public IEnumerable<string> Told(ErrorCode code) => _farewells.Where(farewell => farewell.Code == code.Code).Select(farewell => farewell.Who);

    /// <summary>A moment: later than all that were taken before.</summary>
    public long Tick() => Interlocked.Increment(ref _tick);

    /// <summary>An attempt is about to be sent.</summary>
    public long Send()
    {
        var tick = Tick();
        _underWay[tick] = true;
        return tick;
    }

    /// <summary>Its answer is there, or what stands for one.</summary>
    public long Settle(long sent, bool isKnown)
    {
        _underWay.TryRemove(sent, out _);
        if (!isKnown)
        {
            Interlocked.Increment(ref _unknown);
        }

        return Tick();
    }

    public void Acknowledge() => Interlocked.Increment(ref _acknowledged);

    public void Retry() => Interlocked.Increment(ref _retried);

    public void Receive(int count) => Interlocked.Add(ref _received, count);

    public void Reconnect() => Interlocked.Increment(ref _reconnected);

    public void TellLost() => Interlocked.Increment(ref _toldLost);

    /// <summary>The other side ends a connection.</summary>
    /// <param name="who">Whose.</param>
    /// <param name="code">What it said; null: nothing.</param>
    public void TakeLeave(string who, string? code) => _farewells.Enqueue((who, code));

    public override string ToString() =>
        $"{Acknowledged:N0} acknowledged, {Retried:N0} retries, {Received:N0} received, {Reconnected:N0} reconnects, told of {ToldLost:N0} losses";
}
