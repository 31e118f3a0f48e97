using System.Diagnostics;
using System.Text;
using System.Text.Json;
using RealtimeAspire.Benchmarks.Load;
using RealtimeAspire.Benchmarks.Peers;

namespace RealtimeAspire.Benchmarks.Shapes;

/// <summary>A node's connections all break, miss messages, and come back at once.</summary>
internal sealed class Recovery : Shape
{
    private const int Clients = 1_000, Before = 10, Missed = 100, Meanwhile = 20, Bytes = 100;
    private const double MeanwhileRate = 50;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Glance = TimeSpan.FromMilliseconds(1);

    public override string Name => "recovery";

    public override string Title => "1,000 clients come back";

    public override string Text =>
        "1,000 subscribers of one topic break off, 100 messages are published, and all of them connect and subscribe again while 20 more arrive. " +
        "Time runs from the last reconnect, or the last of the 20 if that is later, until everybody has all 120. CPU is that of the whole return, connecting included. " +
        "The bare hub is given the same and has nothing to recover from.";

    public override IReadOnlyList<Column> Columns =>
    [
        new("caughtUp", "all caught up after, ms", "0"),
        new("return", "whole return, ms", "0"),
        new("cpu", "server CPU per client, µs", "0") { Compared = true },
        .. Checks,
    ];

    public override bool Takes(Peer peer) => peer.Durability != "ephemeral" && peer.Speech is Speech.Realtime or Speech.BareHub;

    public override async Task MeasureAsync(LoadRun run)
    {
        var topic = run.Topic("recovery");
        var publisher = await run.ConnectAsync(run.PublisherNode, Clients);
        await PublishAsync(publisher, topic, 0, Before);

        var started = Stopwatch.GetTimestamp();
        var sequence = Before;
        do
            await NextAsync();
        while (Stopwatch.GetElapsedTime(started) < run.Job.WarmUp);
        await run.MeasureInTurnsAsync([$"{Missed} missed, {Meanwhile} meanwhile"], async (load, _) => LoadRun.Report(load, await NextAsync()));

        async Task<Dictionary<string, double>> NextAsync()
        {
            var first = sequence;
            sequence += Missed + Meanwhile;
            return await ComeBackAsync(run, publisher, topic, first);
        }
    }

    private static async Task<Dictionary<string, double>> ComeBackAsync(LoadRun run, LoadClient publisher, string topic, int sequence)
    {
        var positions = await Crowd.ForEachAsync(Clients, async i =>
        {
            var client = await run.ConnectAsync(run.SubscriberNode, i);
            var position = PositionOf(await client.SubscribeAsync(topic));
            run.Drop(client);
            return position;
        });
        await PublishAsync(publisher, topic, sequence, Missed);

        var meter = new Meter();
        var (cpu, started) = (run.Servers.CpuMicroseconds(), Stopwatch.GetTimestamp());
        var meanwhile = Task.Run(() => PublishMeanwhileAsync(publisher, topic, sequence + Missed));
        var lastReconnect = 0L;
        var clients = await Crowd.ForEachAsync(Clients, async i =>
        {
            var client = await run.ConnectAsync(run.SubscriberNode, i, new DeliveryLedger(meter, firstSequence: sequence).Scan);
            Interlocked.Exchange(ref lastReconnect, Stopwatch.GetTimestamp());
            await SubscribeFullyAsync(client, topic, positions[i]);
            return client;
        });
        var from = Math.Max(lastReconnect, await meanwhile);
        const long Expected = Clients * (Missed + Meanwhile);
        var limit = Stopwatch.GetTimestamp();
        while (meter.Received < Expected && run.Wire is RealtimeWire && Stopwatch.GetElapsedTime(limit) < Patience)
            await Task.Delay(Glance, TimeProvider.System);
        cpu = run.Servers.CpuMicroseconds() - cpu;
        foreach (var client in clients)
            run.Drop(client);
        return new Dictionary<string, double>
        {
            ["caughtUp"] = Math.Max(0, Stopwatch.GetElapsedTime(from, meter.LastAt).TotalMilliseconds),
            ["return"] = Stopwatch.GetElapsedTime(started, meter.LastAt).TotalMilliseconds,
            ["cpu"] = cpu / Clients,
            ["lost"] = Expected - meter.Received,
            ["doubled"] = meter.Doubled + meter.Foreign,
            ["disordered"] = meter.Disordered,
        };
    }

    private static async Task SubscribeFullyAsync(LoadClient client, string topic, string? position)
    {
        while (true)
        {
            var reply = await client.SubscribeAsync(topic, position);
            if (position is null || reply.AsSpan().IndexOf("\"more\":true"u8) < 0)
                return;
            position = PositionOf(reply);
        }
    }

    private static Task PublishAsync(LoadClient publisher, string topic, int first, int count) =>
        Task.WhenAll(Enumerable.Range(first, count).Select(sequence =>
            publisher.PublishAsync(topic, PayloadStamp.Make(Bytes, 0, sequence, Stopwatch.GetTimestamp()))));

    /// <returns>When the last one was acknowledged.</returns>
    private static async Task<long> PublishMeanwhileAsync(LoadClient publisher, string topic, int first)
    {
        var acknowledged = new List<Task>();
        await Pacer.RunAsync(MeanwhileRate, due => acknowledged.Add(publisher.PublishAsync(topic, PayloadStamp.Make(Bytes, 0, first++, due))), CancellationToken.None, Meanwhile);
        await Task.WhenAll(acknowledged);
        return Stopwatch.GetTimestamp();
    }

    /// <summary>The position in the reply of a subscribe, as it stands there; null where there is none.</summary>
    private static string? PositionOf(byte[] reply)
    {
        using var json = JsonDocument.Parse(Encoding.UTF8.GetString(reply));
        return json.RootElement.TryGetProperty("result", out var result) && result.ValueKind is JsonValueKind.Object
            ? result.GetProperty("position").GetRawText()
            : null;
    }
}
