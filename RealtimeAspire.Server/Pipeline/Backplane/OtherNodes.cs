namespace RealtimeAspire.Server.Pipeline.Backplane;

/// <summary>
/// Whether there are other nodes on this Redis: a node that is alone need not tell it of events. Each node hears the others' question
/// of every second, <see cref="RedisEcho"/>; in doubt there are others.
/// </summary>
internal sealed class OtherNodes(TimeProvider time)
{
    /// <summary>A node is heard every second; this long without any is proof enough, if this one would have heard.</summary>
    private static readonly TimeSpan ListenTime = TimeSpan.FromSeconds(5);

    /// <summary>One that was heard and is silent may come back, with its subscribers.</summary>
    private static readonly TimeSpan ReturnTime = TimeSpan.FromSeconds(30);

    private readonly Lock _lock = new();
    private long? _assumedUntil;

    public bool AreAround
    {
        get
        {
            lock (_lock)
            {
                return _assumedUntil is not { } until || time.GetTimestamp() < until;
            }
        }
    }

    /// <summary>Another node has spoken.</summary>
    public void Heard() => AssumeFor(ReturnTime);

    /// <summary>Others may have spoken, and have not been heard.</summary>
    public void Missed() => AssumeFor(ListenTime);

    private void AssumeFor(TimeSpan duration)
    {
        var until = time.GetTimestamp() + (long)(duration.TotalSeconds * time.TimestampFrequency);
        lock (_lock)
        {
            _assumedUntil = Math.Max(_assumedUntil ?? until, until);
        }
    }
}
