using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Observability;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Limits;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline;

/// <summary>
/// What clients tell of the events that have reached them: admit, measure how long they took, and show it in the event's trace. Between
/// the log's clock and this node's the difference is taken for none, and the way of the receipt counts too.
/// </summary>
internal sealed class ReceiptPath(PublishLimiter limits, TopicCatalog topics, RealtimeInstruments instruments, RealtimeTracing tracing, TimeProvider time)
{
    private const int MaxReceipts = 100;

    private static readonly TimeSpan MaxDelay = TimeSpan.FromMinutes(1);

    // What is older was read later, not delivered late.
    private static readonly TimeSpan MaxAge = TimeSpan.FromMinutes(5);

    /// <param name="caller">Who reports.</param>
    /// <param name="receipts">Untrusted; every member is validated here, all before any counts.</param>
    /// <exception cref="RealtimeException">Refused, with a code.</exception>
    public void Take(Caller caller, Receipt?[] receipts)
    {
        if (receipts.Length is 0 or > MaxReceipts)
        {
            throw new RealtimeException(receipts.Length == 0 ? ErrorCode.BatchEmpty : ErrorCode.BatchTooLarge);
        }

        limits.Admit(caller, 0, int.MaxValue);
        var now = time.GetUtcNow();
        var taken = Array.ConvertAll(receipts, receipt => Validate(receipt, now));
        foreach (var (receipt, topic, policy, received) in taken)
        {
            instruments.Received(caller.Tenant, policy.Type, received - receipt.Timestamp is var latency && latency > TimeSpan.Zero ? latency : TimeSpan.Zero);
            tracing.AddReceipt(caller, topic, receipt.TraceId, receipt.Timestamp, received);
        }
    }

    private (Receipt Receipt, TopicName Topic, TopicPolicy Policy, DateTimeOffset Received) Validate(Receipt? receipt, DateTimeOffset now)
    {
        var delay = TimeSpan.FromMilliseconds(receipt?.DelayMs ?? -1);
        if (receipt is null || delay < TimeSpan.Zero || delay > MaxDelay || receipt.Timestamp < now - MaxAge || receipt.Timestamp > now + MaxAge)
        {
            throw new RealtimeException(
                ErrorCode.RequestInvalid, "A receipt has a topic, the timestamp of an event of the last 5 minutes, and a delayMs of 0 to 60,000.");
        }

        var topic = TopicName.Parse(receipt.Topic);
        return (receipt, topic, topics.Get(topic), now - delay);
    }
}
