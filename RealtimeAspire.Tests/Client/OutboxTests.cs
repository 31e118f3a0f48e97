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

        public Transport Transport => Transport.WebSocket;

        public Task<RealtimeException?> Closed { get; } = new TaskCompletionSource<RealtimeException?>().Task;

        public Task<PublishOutcome[]> PublishAsync(PublishRequest[] requests, CancellationToken cancellationToken)
        {
            Array.ForEach(requests, Published.Enqueue);
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
