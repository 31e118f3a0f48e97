namespace RealtimeAspire.Benchmarks.Load;

/// <summary>Many connections that are made alike.</summary>
internal static class Crowd
{
    private const int AtOnce = 32;

    /// <summary>Does it for each of so many, some at a time, and returns what came of it in order.</summary>
    public static async Task<T[]> ForEachAsync<T>(int count, Func<int, Task<T>> act)
    {
        var results = new T[count];
        await Parallel.ForAsync(0, count, new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (i, _) => results[i] = await act(i));
        return results;
    }

    /// <summary>Connects and subscribes, one topic each.</summary>
    public static Task<LoadClient[]> SubscribeAsync(LoadRun run, int count, Func<int, string> topicOf, Func<int, DeliveryLedger> ledgerOf) =>
        ForEachAsync(count, async i =>
        {
            var client = await run.ConnectAsync(run.SubscriberNode, i, ledgerOf(i).Scan);
            await client.SubscribeAsync(topicOf(i));
            return client;
        });
}
