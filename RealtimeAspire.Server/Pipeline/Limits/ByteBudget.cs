namespace RealtimeAspire.Server.Pipeline.Limits;

/// <summary>
/// Bounds what waits somewhere by its bytes, where clients decide how large it is. Thread-safe; never waits.
/// </summary>
internal sealed class ByteBudget(long capacity)
{
    private long _taken;

    public long Taken => Interlocked.Read(ref _taken);

    /// <summary>False: there is no room, and nothing was taken.</summary>
    public bool TryTake(long bytes)
    {
        if (Interlocked.Add(ref _taken, bytes) <= capacity)
        {
            return true;
        }

        Release(bytes);
        return false;
    }

    public void Release(long bytes) => Interlocked.Add(ref _taken, -bytes);
}
