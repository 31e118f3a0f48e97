namespace RealtimeAspire.Client;

/// <summary>What the application has given to be called.</summary>
internal static class Application
{
    /// <summary>Calls it. What it throws is the application's, and stops nothing here: <see cref="TaskScheduler.UnobservedTaskException"/> tells of it.</summary>
    public static void Tell(Action callback)
    {
        try
        {
            callback();
        }
#pragma warning disable CA1031
        catch (Exception exception)
#pragma warning restore CA1031
        {
            _ = Task.FromException(exception);
        }
    }
}
