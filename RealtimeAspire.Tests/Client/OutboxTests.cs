using System.Collections.Concurrent;
using System.Text.Json;
using RealtimeAspire.Client;
using RealtimeAspire.Client.Stores;
using RealtimeAspire.Client.Transports;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Tests.Client;

public sealed class OutboxTests
{
    private static readonly DateTimeOffset Now = TimeProvider.System.GetUtcNow();

    /// <summary>The server may have forgotten its id: sent again it would be a second event.</summary>
    [Fact]
    public async Task What_an_earlier_run_left_too_long_ago_is_given_up_before_anything_is_sent()
    {
        var outcomes = new ConcurrentQueue<LateOutcome>();
        var link = new RecordingLink();
        var outbox = new Outbox(new RealtimeClientOptions
        {
            OutboxStore = new StoreWith(Item("old", Now.AddHours(-24)), Item("young", Now.AddMinutes(-1))),
            OnLateOutcome = outcomes.Enqueue,
        });

        outbox.Connect(link);
        outbox.Open();
        await Eventually.BecomesTrueAsync(() => outcomes.Count == 2, "not both have an outcome");

        Assert.Equal(["young"], link.Published.Select(request => request.Id));
        Assert.Equal(["unknown", null], outcomes.Select(outcome => outcome.Error?.Code));
    }

    [Fact]
    public async Task An_application_that_fails_when_it_is_told_or_publishes_then_stops_nothing()
    {
        var outcomes = new ConcurrentQueue<LateOutcome>();
        var link = new RecordingLink();
        Outbox outbox = null!;
        outbox = new Outbox(new RealtimeClientOptions
        {
            OutboxStore = new StoreWith(Item("old", Now.AddHours(-24)), Item("one", Now.AddMinutes(-2)), Item("other", Now.AddMinutes(-1))),
            OnLateOutcome = outcome =>
            {
                // Before it counts as told: whoever sees all three told has these in the outbox.
                _ = outbox.AddAsync(Item($"after {outcome.Item.Request.Id}", Now).Request with { Topic = $"room:{outcome.Item.Request.Id}" });
                outcomes.Enqueue(outcome);
                throw new InvalidOperationException("The application's.");
            },
        });

        outbox.Connect(link);
        outbox.Open();
        await Eventually.BecomesTrueAsync(() => outcomes.Count == 3 && outbox.Count == 0, "not all have an outcome");

        Assert.Equal(["after old", "after one", "after other", "one", "other"], link.Published.Select(request => request.Id).Order(StringComparer.Ordinal));
    }

    /// <summary>What was sent once and not answered may be in the log, though it was not tried the next time.</summary>
    [Fact]
    public async Task What_was_attempted_before_is_unknown_also_when_the_last_attempt_did_not_come_to_it()
    {
        var time = new StoppedTime();
        var outbox = new Outbox(new RealtimeClientOptions { Time = time, OutboxAge = TimeSpan.FromMinutes(1) });
        var (first, second) = (outbox.AddAsync(Item("1", Now).Request), outbox.AddAsync(Item("2", Now).Request));
        var link = new RecordingLink { Answer = _ => throw new RealtimeException(ErrorCode.Disconnected) };
        outbox.Connect(link);
        await Eventually.BecomesTrueAsync(() => link.Published.Count >= 2, "nothing was sent");
        outbox.Connect(null);
        var next = new RecordingLink { Answer = requests => [Refused(ErrorCode.Overloaded), .. requests.Skip(1).Select(_ => Refused(ErrorCode.NotAttempted))] };
        outbox.Connect(next);
        await Eventually.BecomesTrueAsync(() => next.Published.Count >= 2, "nothing was sent again");
        outbox.Connect(null);
        time.GoOn(TimeSpan.FromMinutes(2));

        await Eventually.BecomesTrueAsync(
            () =>
            {
                outbox.Expire();
                return outbox.Count == 0;
            },
            "nothing is given up");
        Assert.Equal(["unknown", "unknown"], new[] { await CodeAsync(first), await CodeAsync(second) });

        static PublishOutcome Refused(ErrorCode error) => new() { Error = new ErrorBody(error.Code, error.Sentence, Retryable: true) };
        static async Task<string> CodeAsync(Task<PublishReply> publish) => (await Assert.ThrowsAsync<RealtimeException>(() => publish)).Code;
    }

    private static OutboxItem Item(string id, DateTimeOffset at) =>
        new(new PublishRequest { Topic = "room:a", Event = "app:note", Payload = JsonSerializer.SerializeToElement(id), Id = id }, at);

    private sealed class StoreWith(params OutboxItem[] items) : IOutboxStore
    {
        public void Open(Action<IReadOnlyList<OutboxItem>> take) => take(items);

        public void Put(OutboxItem item)
        {
        }

        public void Delete(OutboxItem item)
        {
        }

        public void Dispose()
        {
        }
    }

    /// <summary>Takes every publish.</summary>
    private sealed class RecordingLink : ILink
    {
        public ConcurrentQueue<PublishRequest> Published { get; } = new();

        /// <summary>What it says instead.</summary>
        public Func<PublishRequest[], PublishOutcome[]>? Answer { get; init; }

        public Transport Transport => Transport.WebSocket;

        public Task<RealtimeException?> Closed { get; } = new TaskCompletionSource<RealtimeException?>().Task;

        public Task<PublishOutcome[]> PublishAsync(PublishRequest[] requests, CancellationToken cancellationToken)
        {
            Array.ForEach(requests, Published.Enqueue);
            if (Answer is { } answer)
            {
                return Task.FromResult(answer(requests));
            }

            var reply = new PublishReply { Position = new Position("e", 1), Timestamp = Now, Duplicate = false };
            return Task.FromResult(Array.ConvertAll(requests, _ => new PublishOutcome { Reply = reply }));
        }

        public Task<SubscribeOutcome[]> SubscribeAsync(SubscribeRequest[] requests, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task UnsubscribeAsync(string topic, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task<HistoryReply> HistoryAsync(HistoryRequest request, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task AcknowledgeAsync(AcknowledgeRequest request, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task SetPresenceAsync(PresenceRequest request, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task<PresencePage> ListPresenceAsync(PresencePageRequest request, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task<JsonElement> CallAsync(CallRequest request, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task ReceiptsAsync(Receipt[] receipts, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task RefreshAsync(string token, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task ProbeAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
