using System.Diagnostics;

namespace RealtimeAspire.Benchmarks.Load;

/// <summary>What all subscribers of a run have received. Written by the threads that receive.</summary>
internal sealed class Meter
{
    private long _received;
    private long _doubled;
    private long _disordered;
    private long _foreign;
    private long _lastAt;

    public LatencyHistogram Latency { get; } = new();

    /// <summary>Distinct messages, per subscriber.</summary>
    public long Received => Interlocked.Read(ref _received);

    public long Doubled => Interlocked.Read(ref _doubled);

    /// <summary>Behind a later one of the same sender.</summary>
    public long Disordered => Interlocked.Read(ref _disordered);

    /// <summary>Of a sender whom the subscriber does not listen to. Never right.</summary>
    public long Foreign => Interlocked.Read(ref _foreign);

    /// <summary>When the last one came, as a timestamp of <see cref="Stopwatch"/>.</summary>
    public long LastAt => Interlocked.Read(ref _lastAt);

    public void Take(long sentAt, bool disordered)
    {
        var now = Stopwatch.GetTimestamp();
        Interlocked.Increment(ref _received);
        Interlocked.Exchange(ref _lastAt, now);
        if (disordered)
            Interlocked.Increment(ref _disordered);
        Latency.Record(Stopwatch.GetElapsedTime(sentAt, now));
    }

    public void TakeDouble() => Interlocked.Increment(ref _doubled);

    public void TakeForeign() => Interlocked.Increment(ref _foreign);
}

/// <summary>Which messages of each of its senders one subscriber has. Only the thread that receives for it touches this.</summary>
/// <param name="meter">Gets the sums.</param>
/// <param name="firstSender">Senders are numbered from here.</param>
/// <param name="senders">How many there are.</param>
/// <param name="firstSequence">Earlier messages are not its business.</param>
internal sealed class DeliveryLedger(Meter meter, int firstSender = 0, int senders = 1, int firstSequence = 0)
{
    private readonly Seen[] _seen = new Seen[senders];

    public void Scan(ReadOnlySpan<byte> message)
    {
        while (PayloadStamp.TryNext(ref message, out var sender, out var sequence, out var sentAt))
        {
            var (from, index) = (sender - firstSender, sequence - firstSequence);
            if ((uint)from >= (uint)_seen.Length || index < 0)
                meter.TakeForeign();
            else if (_seen[from].TryAdd(index, out var disordered))
                meter.Take(sentAt, disordered);
            else
                meter.TakeDouble();
        }
    }

    private struct Seen
    {
        private ulong[]? _bits;
        private int _last;

        public bool TryAdd(int index, out bool disordered)
        {
            _bits ??= new ulong[4];
            if (index / 64 >= _bits.Length)
                Array.Resize(ref _bits, Math.Max(_bits.Length * 2, (index / 64) + 1));
            var bit = 1UL << (index % 64);
            disordered = index + 1 < _last;
            if ((_bits[index / 64] & bit) != 0)
                return false;
            _bits[index / 64] |= bit;
            _last = Math.Max(_last, index + 1);
            return true;
        }
    }
}
