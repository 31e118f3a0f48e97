using System.Diagnostics;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Limits;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>Postgres is killed with -9 while nodes append, and comes back.</summary>
[Collection(SharedTopology.Name)]
public sealed class PostgresRestartScenarios(Topology topology)
{
    [Fact]
    public async Task Whatever_waits_while_Postgres_restarts_is_stored_once_and_in_order_in_the_same_epoch()
    {
        await using var database = await PostgresDatabase.CreateAsync(topology);
        var patient = new RealtimeOptions { Limits = new LimitOptions { PublishTimeoutSeconds = 60 } };
        await using var one = await database.StartNodeAsync(patient);
        await using var other = await database.StartNodeAsync(patient);
        var appends = new List<Task<AppendOutcome>>();
        for (var i = 0; i < 2_000; i++)
        {
            appends.Add((i % 2 == 0 ? one : other).AppendAsync($"room:{i % 5}", $"e{i}"));
            if (i == 1_000)
            {
                await appends[0];
                using var postgres = Process.GetProcessById(topology.ProcessId(topology.States().Single(state => state.Resource.Name == "postgres").ResourceId));
                postgres.Kill();
            }
        }

        var outcomes = await Task.WhenAll(appends);

        for (var topic = 0; topic < 5; topic++)
        {
            var mine = Enumerable.Range(0, outcomes.Length).Where(i => i % 5 == topic).ToList();
            Assert.Single(mine.Select(i => outcomes[i].Position.Epoch).Distinct());
            Assert.Equal(Enumerable.Range(1, mine.Count).Select(i => (long)i), mine.Select(i => outcomes[i].Position.Offset).Order());
            foreach (var ofNode in new[] { 0, 1 })
            {
                var own = mine.Where(i => i % 2 == ofNode).Select(i => outcomes[i].Position.Offset).ToList();
                Assert.Equal(own.Order(), own);
            }

            Assert.Equal(
                mine.OrderBy(i => outcomes[i].Position.Offset).Select(i => $"e{i}"),
                (await ReadAsync(one, $"room:{topic}")).Events.Select(logged => logged.Id));
        }

        await topology.BecomesHealthyAsync();
    }

    /// <summary>A connection that was idle when Postgres was killed is found to be dead by its next user.</summary>
    private static async Task<LogPage> ReadAsync(PostgresNode node, string topic)
    {
        LogPage? page = null;
        await Eventually.BecomesTrueAsync(
            async () =>
            {
                try
                {
                    page = await node.ReadAsync(topic);
                }
                catch (RealtimeException)
                {
                    return false;
                }

                return true;
            },
            "the log cannot be read");
        return page!;
    }
}
