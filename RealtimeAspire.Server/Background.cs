namespace RealtimeAspire.Server;

/// <summary>Starts loops that outlive the request that caused them. Their owners await them.</summary>
internal static class Background
{
    /// <summary>Runs without the caller's ambient state: a loop must not stay in the trace of the request that started it.</summary>
    public static Task Run(Func<Task> loop)
    {
        using (ExecutionContext.SuppressFlow())
        {
            return Task.Run(loop);
        }
    }

    /// <inheritdoc cref="Run(Func{Task})"/>
    public static Task<T> Run<T>(Func<Task<T>> work)
    {
        using (ExecutionContext.SuppressFlow())
        {
            return Task.Run(work);
        }
    }
}
