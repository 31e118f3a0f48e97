namespace RealtimeAspire.Checker.Load;

/// <summary>Over long polls: each asks from where the one before has led to. There is no connection but that of the requests.</summary>
internal sealed class PollReadingLine(string user, ReadingLogs logs, Func<int, Uri> address, LoadOptions options, TimeProvider time) : IReadingLine
{
    private static readonly TimeSpan Wait = TimeSpan.FromSeconds(20);

    /// <summary>Under load there is always something, and poll upon poll would be the load.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    public async Task ReadAsync(int connection, CancellationToken over)
    {
        using var api = new HttpApi(user, options, time);
        while (true)
        {
            // The first only asks where the topics are: it would wait as long as nobody publishes.
            var wait = logs.Joined.IsCompleted ? Wait : TimeSpan.Zero;
            var replies = await api.PollAsync(address(connection), [.. logs.Topics.Select(topic => (topic, logs[topic].At))], wait, over);
            foreach (var reply in replies)
            {
                logs[reply.Topic].Ask(connection);
                logs.Tell(connection, reply);
            }

            if (!replies.Any(reply => reply.More))
            {
                await Task.Delay(Pause, time, over);
            }
        }
    }
}
