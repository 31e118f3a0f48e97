using System.Collections.Concurrent;
using System.Diagnostics;
using RealtimeAspire.Client;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>One process is killed under load. Whatever was acknowledged arrives, once and in order, wherever the reader is.</summary>
[Collection(SharedTopology.Name)]
public sealed class KillScenarios(Topology topology)
{
    private const int Publishers = 4;
    private const int PerPublisher = 60;

    [Theory]
    [InlineData("one node")]
    [InlineData("the other node")]
    [InlineData("redis")]
    [InlineData("postgres")]
    public async Task No_acknowledged_message_is_lost_when_a_process_is_killed(string victim)
    {
        var topic = $"room:{Guid.NewGuid():n}";
        var acknowledged = new ConcurrentDictionary<string, Position>();
        await using var reader = await topology.ConnectAsync("grace");
        await using var subscription = await reader.SubscribeAsync(topic, cancellationToken: Topology.Cancelled);
        var reading = subscription.TakeAsync(Publishers * PerPublisher, within: TimeSpan.FromSeconds(90));

        var halfway = new TaskCompletionSource();
        var publishing = Enumerable.Range(0, Publishers).Select(async p =>
        {
            await using var publisher = await topology.ConnectAsync($"ada-{p}");
            for (var i = 0; i < PerPublisher; i++)
            {
                var text = $"{p}/{i}";
                acknowledged[text] = await PublishUntilAcknowledgedAsync(publisher, topic, text);
                if (acknowledged.Count == Publishers * PerPublisher / 2)
                    halfway.TrySetResult();
            }
        }).ToArray();

        await Task.WhenAny(halfway.Task, Task.WhenAll(publishing));
        Kill(victim switch
        {
            "one node" => topology.Nodes()[0].ResourceId,
            "the other node" => topology.Nodes()[1].ResourceId,
            _ => topology.States().Single(s => s.Resource.Name == victim).ResourceId,
        });
        await Task.WhenAll(publishing);

        var events = await reading;
        Assert.Equal(Enumerable.Range(1, Publishers * PerPublisher).Select(o => (long?)o), events.Select(e => e.Offset));
        Assert.Equal(acknowledged.Keys.Order(StringComparer.Ordinal), events.Select(Text).Order(StringComparer.Ordinal));
        Assert.All(events, e => Assert.Equal(acknowledged[Text(e)], new Position(e.Epoch!, e.Offset!.Value)));
        for (var p = 0; p < Publishers; p++)
            Assert.Equal(Enumerable.Range(0, PerPublisher).Select(i => $"{p}/{i}"), events.Select(Text).Where(t => t.StartsWith($"{p}/", StringComparison.Ordinal)));
        await topology.BecomesHealthyAsync();
    }

    /// <summary>Tries again with the same id for as long as the answer says that this helps.</summary>
    private static async Task<Position> PublishUntilAcknowledgedAsync(RealtimeClient client, string topic, string text)
    {
        var id = Guid.NewGuid().ToString("n");
        var started = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                var reply = await client.PublishAsync(topic, "chat:message", new { text }, id, cancellationToken: Topology.Cancelled);
                return reply.Position!.Value;
            }
            catch (RealtimeException error) when (error.Error.Retryable && TimeProvider.System.GetElapsedTime(started) < TimeSpan.FromSeconds(60))
            {
                await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, Topology.Cancelled);
            }
        }
    }

    private static string Text(TopicEvent item) => item.Data.Payload.GetProperty("text").GetString()!;

    private void Kill(string resourceId)
    {
        using var process = Process.GetProcessById(topology.ProcessId(resourceId));
        process.Kill();
    }
}
