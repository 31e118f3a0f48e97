using System.Diagnostics;
using System.Globalization;

namespace RealtimeAspire.Tests.Fuzzing;

/// <summary>Alone, for it looks at how much memory the process has.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class Fuzzing
{
    public const string Name = "fuzzing";
}

/// <summary>
/// A node is sent what no client should send, over real sockets. <c>REALTIME_LONG=1</c> sends a million inputs; <c>REALTIME_FUZZ_SEED</c>
/// repeats the inputs of an earlier run, though not how they meet.
/// </summary>
[Collection(Fuzzing.Name)]
public sealed class FuzzTests
{
    private static readonly int Inputs = Environment.GetEnvironmentVariable("REALTIME_LONG") == "1" ? 1_000_000 : 20_000;

    // What caches and pools take by and by; a byte kept of each input of the long run would be as much.
    private const long MaxGrowth = 16 * 1024 * 1024;

    [Fact]
    public async Task Whatever_is_sent_is_answered_with_a_code_and_nothing_wrong_is_stored()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("REALTIME_FUZZ_SEED"), CultureInfo.InvariantCulture, out var given) ? given : Random.Shared.Next();
        Say($"seed {seed}");
        await using var server = await FuzzedServer.StartAsync();
        await RunAsync(server, seed, Inputs / 10);
        var (before, started) = (Memory(), Stopwatch.GetTimestamp());

        var (sent, events) = (0, 0);
        // In rounds, so that events are looked at before the log forgets them.
        const int Rounds = 9;
        for (var round = 1; round <= Rounds; round++)
        {
            sent += await RunAsync(server, unchecked(seed + (round * 10)), Inputs / 10);
            events += await server.RequireHealthAsync();
        }

        // What earlier tests have left in the process is collected by and by; what is kept of inputs is not.
        var growth = 0L;
        await Eventually.BecomesTrueAsync(() => (growth = Memory() - before) < MaxGrowth, $"seed {seed}: more memory than before the inputs");
        Say($"{sent} inputs in {Stopwatch.GetElapsedTime(started).TotalSeconds:0.0} s, {events} events looked at, memory {growth / 1024} KiB more");
        Assert.True(events > Rounds, $"seed {seed}: {events} events");
    }

    /// <returns>How many inputs were sent.</returns>
    private static async Task<int> RunAsync(FuzzedServer server, int seed, int inputs)
    {
        var json = new HubFuzzer(server, new FuzzMill(seed), isPacked: false);
        var packed = new HubFuzzer(server, new FuzzMill(unchecked(seed + 1)), isPacked: true);
        var http = new HttpFuzzer(server, new FuzzMill(unchecked(seed + 2)));
        try
        {
            await Task.WhenAll(json.RunAsync(inputs * 2 / 5), packed.RunAsync(inputs * 2 / 5), http.RunAsync(inputs / 5));
            await server.RequireHealthAsync();
        }
        catch (Exception exception)
        {
            throw new InvalidOperationException($"Seed {seed}: {string.Join(" | ", server.Errors)}", exception);
        }

        Say($"{json.Inputs} in JSON ({json.Answered} done, {json.Refused} refused, {json.Closed} closed), {packed.Inputs} in MessagePack ({packed.Answered}, {packed.Refused}, {packed.Closed}), {http.Inputs} over HTTP ({http.Refused} refused)");
        Assert.True(json.Answered > inputs / 100 && json.Refused > inputs / 100 && packed.Answered > inputs / 100 && packed.Refused > inputs / 100, "too few were nearly right");
        return json.Inputs + packed.Inputs + http.Inputs;
    }

    private static long Memory()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return GC.GetTotalMemory(forceFullCollection: true);
    }

    private static void Say(FormattableString said) => TestContext.Current.TestOutputHelper?.WriteLine(FormattableString.Invariant(said));
}
