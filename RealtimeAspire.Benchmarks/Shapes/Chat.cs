using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using RealtimeAspire.Benchmarks.Load;
using RealtimeAspire.Benchmarks.Peers;

namespace RealtimeAspire.Benchmarks.Shapes;

/// <summary>What reading a room costs that has a million messages.</summary>
internal sealed class Chat : Shape
{
    private const int Readers = 2, PageMessages = 50;

    // Of the warm-up, for each of the cases.
    private const int WarmUpShare = 10;

    public override string Name => "chat";

    public override string Title => "A room with 1,000,000 messages";

    public override string Text =>
        $"{LongRoom.Messages:N0} messages of some twelve words were written into the log as a publish in SQL writes them, {LongRoom.Deleted:N0} of them deleted, and the server has made its tables of that, as of any log; {LongRoom.OtherRooms} small rooms are beside it. " +
        $"{Readers} readers over HTTP, each asking again as soon as he has his answer; pages of {PageMessages} messages, 20 found ones. Opening is two requests, the room and its newest page, counted as one; what is unread was exact.";

    public override IReadOnlyList<Column> Columns => [new("rate", "requests/s", "0"), new("p50", "p50, ms", "0.0"), new("p99", "p99, ms", "0.0")];

    public override bool Takes(Peer peer) => peer.Durability == "durable";

    public override async Task MeasureAsync(LoadRun run)
    {
        using var room = await LongRoom.MakeAsync(run);
        var path = $"/rooms/{room.Name}";
        (string Load, Func<Random, Task> Ask)[] cases =
        [
            ("open it, few unread", _ => OpenAsync(LongRoom.Current)),
            ("open it, 999,000 unread", _ => OpenAsync(LongRoom.Late)),
            ("scroll up, page by page", Scrolling(room, path)),
            ("jump to a date", random => room.GetAsync(LongRoom.Late, $"{path}/messages?limit={PageMessages}&at={Time(random)}")),
            ("a link to a message", random => room.GetAsync(LongRoom.Late, $"{path}/messages?limit={PageMessages}&around={random.Next(1, LongRoom.Messages)}")),
            ("the first unread", _ => room.GetAsync(LongRoom.Late, $"{path}/messages?limit={PageMessages}&unread=true")),
            ("the list of rooms", _ => room.GetAsync(LongRoom.Late, "/rooms")),
            ("search a word of each second message", _ => FindAsync(LongRoom.Frequent)),
            ("search a word of each hundredth message", _ => FindAsync(LongRoom.Occasional)),
            ("search a word of 20 messages", _ => FindAsync(LongRoom.Rare)),
            ("search a word of none", _ => FindAsync("never")),
            ("search a word that was frequent in the oldest quarter", _ => FindAsync(LongRoom.Once)),
            ("search two words", _ => FindAsync($"{LongRoom.Frequent} {LongRoom.Rare}")),
            ("search a phrase of two frequent words", _ => FindAsync($"\"{LongRoom.Frequent} {LongRoom.Occasional}\"")),
            ("search further down", random => FindAsync($"{LongRoom.Frequent}&before={random.Next(1_000, LongRoom.Messages)}")),
            ("search all rooms, a frequent word", _ => room.GetAsync(LongRoom.Late, $"/search?q={LongRoom.Frequent}")),
            ("search all rooms, a rare word", _ => room.GetAsync(LongRoom.Late, $"/search?q={LongRoom.Rare}")),
        ];
        foreach (var (_, ask) in cases)
            await RunAsync(ask, run.Job.WarmUp / WarmUpShare);
        await run.MeasureInTurnsAsync(cases, async (one, _) =>
        {
            var (rate, delays) = await RunAsync(one.Ask, run.Job.Window);
            LoadRun.Report(one.Load, new Dictionary<string, double> { ["rate"] = rate, ["p50"] = delays.Percentile(50), ["p99"] = delays.Percentile(99) });
        });

        async Task OpenAsync(int user)
        {
            await room.GetAsync(user, path);
            await room.GetAsync(user, $"{path}/messages?limit={PageMessages}");
        }

        Task FindAsync(string query) => room.GetAsync(LongRoom.Late, $"{path}/search?q={query}");

        string Time(Random random) => Uri.EscapeDataString((room.First + (random.NextDouble() * (room.Last - room.First))).UtcDateTime.ToString("O", CultureInfo.InvariantCulture));
    }

    /// <summary>From a place somewhere in the room, one page before the other; at its beginning, from another place.</summary>
    private static Func<Random, Task> Scrolling(LongRoom room, string path)
    {
        string? before = null;
        return async random =>
        {
            var page = await room.GetAsync(LongRoom.Late, $"{path}/messages?limit={PageMessages}&before={Interlocked.Exchange(ref before, null) ?? $"{random.Next(1_000, LongRoom.Messages)}"}");
            Interlocked.Exchange(ref before, page.GetProperty("hasBefore").GetBoolean() ? page.GetProperty("messages")[0].GetProperty("id").GetString() : null);
        };
    }

    private static async Task<(double Rate, LatencyHistogram Delays)> RunAsync(Func<Random, Task> ask, TimeSpan duration)
    {
        var (delays, started, asked) = (new LatencyHistogram(), Stopwatch.GetTimestamp(), 0);
        await Crowd.ForEachAsync(Readers, async _ =>
        {
            var random = new Random(1);
            while (Stopwatch.GetElapsedTime(started) < duration)
            {
                var began = Stopwatch.GetTimestamp();
                await ask(random);
                delays.Record(Stopwatch.GetElapsedTime(began));
                Interlocked.Increment(ref asked);
            }

            return true;
        });
        return (asked / Stopwatch.GetElapsedTime(started).TotalSeconds, delays);
    }
}
