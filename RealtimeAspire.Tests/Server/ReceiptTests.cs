using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using RealtimeAspire.Client;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Observability;

namespace RealtimeAspire.Tests.Server;

/// <summary>How long events take to their readers, as those report it.</summary>
public sealed class ReceiptTests
{
    [Theory]
    [InlineData(Transport.WebSocket)]
    [InlineData(Transport.Poll)]
    public async Task A_client_that_reports_what_arrives_has_it_measured_and_shown_in_the_events_trace(Transport transport)
    {
        var room = $"room:{Guid.NewGuid():N}";
        var spans = new ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == RealtimeTracing.SourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = span =>
            {
                if ((string?)span.GetTagItem(TagNames.Topic) == room)
                {
                    spans.Enqueue(span);
                }
            },
        };
        ActivitySource.AddActivityListener(listener);
        await using var server = await TestServer.StartAsync();
        var latencies = new ConcurrentQueue<double>();
        using var meters = new MeterListener();
        meters.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Meter.Scope == server.Meters && instrument.Name == "realtime.receipt.latency")
            {
                self.EnableMeasurementEvents(instrument);
            }
        };
        meters.SetMeasurementEventCallback<double>((_, latency, _, _) => latencies.Enqueue(latency));
        meters.Start();
        await using var client = new RealtimeClient(
            server.Address, new RealtimeClientOptions { Token = _ => Task.FromResult<string?>(TestServer.Token()), Receipts = 1, Transports = [transport] });
        await using var subscription = await client.SubscribeAsync(room, new SubscribeOptions { OnEvent = _ => Task.CompletedTask });

        await client.PublishAsync(room, "app:x", 1);
        await client.PublishAsync(room, "app:x", 2);
        await Until.TrueAsync(() => latencies.Count == 2 && spans.Count(span => span.OperationName == "receive") == 2);

        Assert.All(latencies, latency => Assert.InRange(latency, 0, 20));
        var publishes = spans.Where(span => span.OperationName == "publish").Select(span => (span.TraceId, span.SpanId)).ToHashSet();
        Assert.All(spans.Where(span => span.OperationName == "receive"), span => Assert.Contains((span.TraceId, span.ParentSpanId), publishes));
    }

    [Fact]
    public async Task A_wrong_receipt_among_good_ones_measures_nothing()
    {
        await using var server = await TestServer.StartAsync();
        using var hub = await server.ConnectRawAsync();
        var counted = 0;
        using var meters = new MeterListener();
        meters.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Meter.Scope == server.Meters && instrument.Name == "realtime.receipt.latency")
            {
                self.EnableMeasurementEvents(instrument);
            }
        };
        meters.SetMeasurementEventCallback<double>((_, _, _, _) => Interlocked.Increment(ref counted));
        meters.Start();
        var now = TimeProvider.System.GetUtcNow().UtcDateTime.ToString("O");

        var wrong = await Assert.ThrowsAsync<RealtimeException>(() => hub.InvokeAsync(
            "Receipts", new object[] { new { topic = "room:a", timestamp = now, delayMs = 1 }, new { topic = "nowhere:a", timestamp = now, delayMs = 1 } }));
        Assert.Equal(("topic_type_unknown", 0), (wrong.Code, Volatile.Read(ref counted)));

        await hub.InvokeAsync("Receipts", new object[] { new { topic = "room:a", timestamp = now, delayMs = 1 } });
        Assert.Equal(1, Volatile.Read(ref counted));
    }
}
