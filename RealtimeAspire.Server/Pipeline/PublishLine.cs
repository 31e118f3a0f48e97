namespace RealtimeAspire.Server.Pipeline;

/// <summary>
/// Publishes that wait for an answer of the application's enter the log in the order in which they came, while all of them wait at the same time.
/// </summary>
internal sealed class PublishLine
{
    private readonly Lock _lock = new();

    // Under the lock.
    private Task _last = Task.CompletedTask;

    /// <summary>Takes the next place.</summary>
    public Place Enter()
    {
        lock (_lock)
        {
            var place = new Place(_last);
            _last = place.Left;
            return place;
        }
    }

    /// <summary>A place in the line; whoever is behind it waits until it has been left.</summary>
    internal sealed class Place(Task before) : IDisposable
    {
        private readonly TaskCompletionSource _left = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>Completes when all that are before it have left.</summary>
        public Task Turn => before;

        /// <summary>Completes when it and all that are before it have left.</summary>
        public Task Left => before.IsCompleted ? _left.Task : Task.WhenAll(before, _left.Task);

        public void Dispose() => _left.TrySetResult();
    }
}
