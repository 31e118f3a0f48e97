using System.Diagnostics;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using RealtimeAspire.Benchmarks.Load;
using RealtimeAspire.Benchmarks.Peers;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Benchmarks.Shapes;

/// <summary>One large room that people come to and leave.</summary>
internal sealed class Presence : Shape
{
    private const int PageUsers = 100, Pages = 300;

    // So many come, and then go, in this time, however many there are.
    private static readonly TimeSpan Coming = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(10);

    public override string Name => "presence";

    public override string Title => "A large room";

    public override string Text =>
        "So many users join one room within a minute, each told of its members, and leave it within another. CPU and bytes are all that the server spends and sends, by member; " +
        $"a page has {PageUsers} members, and is read while all are there.";

    public override IReadOnlyList<Column> Columns =>
    [
        new("cpu", "server CPU, µs per member", "0"), new("bytes", "sent, bytes per member", "0"), new("page50", "list page p50, ms"), new("page99", "p99, ms"),
    ];

    public override bool Takes(Peer peer) => peer.Durability == "recoverable";

    public override Task MeasureAsync(LoadRun run) => run.MeasureInTurnsAsync([1_000, 10_000], async (members, round) => LoadRun.Report(
        $"{members:N0} members", await MeasureAsync(run, $"{RealtimePeer.PresenceType}:{run.Job.Run}-{members}-{round}", members)));

    private static async Task<Dictionary<string, double>> MeasureAsync(LoadRun run, string topic, int members)
    {
        long bytes = 0;
        var cpu = run.Servers.CpuMicroseconds();
        var clients = new LoadClient[members];
        await PaceAsync(members, async i =>
        {
            clients[i] = await run.ConnectAsync(run.SubscriberNode, i, message => Interlocked.Add(ref bytes, message.Length));
            await clients[i].SubscribeAsync(topic, presence: "members");
        });
        var spent = run.Servers.CpuMicroseconds() - cpu;

        using var http = new HttpClient { BaseAddress = run.SubscriberNode, DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", run.TokenOf(0)) } };
        var reading = new LatencyHistogram();
        await AllAreThereAsync(http, topic, members);
        await ReadAsync(http, topic, members, reading);

        cpu = run.Servers.CpuMicroseconds();
        await PaceAsync(members, i =>
        {
            run.Drop(clients[i]);
            return Task.CompletedTask;
        });
        await Task.Delay(Grace, TimeProvider.System);
        spent += run.Servers.CpuMicroseconds() - cpu;
        return new Dictionary<string, double>
        {
            ["cpu"] = spent / members,
            ["bytes"] = Interlocked.Read(ref bytes) / (double)members,
            ["page50"] = reading.Percentile(50),
            ["page99"] = reading.Percentile(99),
        };
    }

    /// <summary>The list of a large topic is as of its last window.</summary>
    private static async Task AllAreThereAsync(HttpClient http, string topic, int members)
    {
        var began = Stopwatch.GetTimestamp();
        while (true)
        {
            var page = await http.GetFromJsonAsync<PresencePage>($"/topics/{topic}/presence?limit=1", JsonSerializerOptions.Web);
            if (page!.Occupancy.Users == members)
                return;
            if (Stopwatch.GetElapsedTime(began) > Grace)
                throw new BenchmarkException($"After {Grace.TotalSeconds} s the list has {page.Occupancy.Users} members instead of {members}.");
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System);
        }
    }

    /// <summary>Reads the whole list, page after page, and begins again until there are enough pages.</summary>
    private static async Task ReadAsync(HttpClient http, string topic, int members, LatencyHistogram reading)
    {
        string? after = null;
        var (pages, users) = (0, 0);
        while (pages < Pages || after is not null)
        {
            var began = Stopwatch.GetTimestamp();
            var page = await http.GetFromJsonAsync<PresencePage>($"/topics/{topic}/presence?limit={PageUsers}{(after is null ? "" : $"&after={after}")}", JsonSerializerOptions.Web);
            reading.Record(Stopwatch.GetElapsedTime(began));
            pages++;
            users += page!.Members.Count;
            if (page.Complete)
            {
                if (users != members)
                    throw new BenchmarkException($"The list has {users} members instead of {members}.");
                users = 0;
            }

            after = page.Complete ? null : page.Members[^1].User;
        }
    }

    private static async Task PaceAsync(int count, Func<int, Task> act)
    {
        var doing = new List<Task>(count);
        await Pacer.RunAsync(count / Coming.TotalSeconds, _ => doing.Add(act(doing.Count)), CancellationToken.None, count);
        await Task.WhenAll(doing);
    }
}
