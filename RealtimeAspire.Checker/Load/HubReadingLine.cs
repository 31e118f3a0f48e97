using System.Threading.Channels;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Checker.Load;

/// <summary>Over the hub, subscribing to one topic after another.</summary>
internal sealed class HubReadingLine(string user, ReadingLogs logs, Func<int, Uri> address, LoadOptions options, Random random, Tally tally, TimeProvider time)
    : IReadingLine
{
    private static readonly TimeSpan ReplyTime = TimeSpan.FromSeconds(10);

    public async Task ReadAsync(int connection, CancellationToken over)
    {
        var joins = Channel.CreateUnbounded<string>();
        var token = await options.Token(user, over);
        await using var link = await HubLink.OpenAsync(address(connection), token, $"{user}/{connection}", Arrive, Obey, tally, time, over);
        foreach (var topic in logs.Topics)
        {
            joins.Writer.TryWrite(topic);
        }

        using var ended = CancellationTokenSource.CreateLinkedTokenSource(over);
        var joining = JoinAsync(link, connection, joins, ended.Token);
        await Task.WhenAny(joining, link.Lost, link.Draining);
        if (link.Draining.IsCompletedSuccessfully)
        {
            await Pacing.WaitAsync(await link.Draining, time, over);
        }

        await ended.CancelAsync();
        await joining;

        void Arrive(TopicEvent[] events) => Array.ForEach(events, arrived => logs.Arrive(connection, arrived));

        void Obey(Control control)
        {
            if (control.Type is Control.Reset or Control.Unsubscribed && control.Topic is { } topic && logs.Topics.Contains(topic, StringComparer.Ordinal))
            {
                logs[topic].Reset(connection);
                joins.Writer.TryWrite(topic);
            }
        }
    }

    /// <summary>Subscribes to one topic after another, again and again. Ends when the connection does not answer.</summary>
    private async Task JoinAsync(HubLink link, int connection, Channel<string> joins, CancellationToken ended)
    {
        try
        {
            var failures = 0;
            await foreach (var topic in joins.Reader.ReadAllAsync(ended))
            {
                try
                {
                    bool more;
                    do
                    {
                        var reply = await link.SubscribeAsync(logs[topic].Ask(connection), ReplyTime, ended);
                        logs.Tell(connection, reply);
                        more = reply.More;
                    }
                    while (more);
                    failures = 0;
                }
                catch (RealtimeException exception) when (exception.Error.Retryable && exception.Error != ErrorCode.Disconnected)
                {
                    await Pacing.BackOffAsync(random, failures++, time, ended);
                    joins.Writer.TryWrite(topic);
                }
            }
        }
        catch (RealtimeException exception) when (exception.Error == ErrorCode.Disconnected)
        {
            // To be opened anew.
        }
        catch (OperationCanceledException) when (ended.IsCancellationRequested)
        {
            // The connection is no longer wanted.
        }
    }
}
