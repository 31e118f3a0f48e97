using System.Text.Json;
using System.Threading.Channels;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Connections;

namespace RealtimeAspire.Server.Http;

/// <summary>
/// One SSE response, from "I have seen this far" in several topics to live in all of them:
/// <code>
/// 1  subscribe  to every topic, before the first byte: a refusal is a problem like any other
/// 2  begin      one frame that tells of each topic where the stream starts
/// 3  catch up   what is longer than a page, page by page, while the other topics are live
/// 4  live       the connection writes; after a reset its topic is caught up with again
/// </code>
/// </summary>
internal sealed class TopicStream(SubscribePath path, Connection connection, SseTransport transport, TopicStart[] starts, TimeProvider time)
{
    private const int MinRetryMs = 500;
    private const int MaxRetryMs = 3_000;

    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(15);

    private readonly Queue<int> _behind = [];

    /// <exception cref="RealtimeException">A topic was refused or failed; nothing has been written.</exception>
    public async Task RunAsync(HttpContext context)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, transport.Ended);
        try
        {
            if (await OpenAsync(context, over.Token))
            {
                await Task.WhenAll(BeatAsync(over.Token), FollowAsync(over.Token));
            }
        }
        catch (OperationCanceledException) when (over.IsCancellationRequested)
        {
            // The reader is gone, or has been told why this is the end.
        }
    }

    /// <summary>In the first turn. False: nothing follows.</summary>
    /// <exception cref="RealtimeException">A topic was refused or failed, or the connection was closed; nothing has been written.</exception>
    private async Task<bool> OpenAsync(HttpContext context, CancellationToken over)
    {
        var isOpen = false;
        try
        {
            // 1.
            var answers = await SubscribeAllAsync(over);
            var at = new StreamPosition(starts.Zip(answers, (start, answer) => start.Before(answer)));
            if (at.Bytes > StreamPosition.MaxBytes)
            {
                throw new RealtimeException(ErrorCode.TooManyTopics);
            }

            WriteHeaders(context);
            if (HttpMethods.IsHead(context.Request.Method))
            {
                return false;
            }

            // 2.
            Begin(at, answers);
            await transport.FlushAsync(context.RequestAborted);
            return isOpen = true;
        }
        finally
        {
            if (!isOpen)
            {
                transport.End();
            }

            transport.EndTurn();
        }
    }

    private async Task<SubscribeAnswer[]> SubscribeAllAsync(CancellationToken over)
    {
        try
        {
            var answers = await TopicStart.SubscribeAllAsync(path, connection, starts, ephemeral: true, over);
            if (transport.TryOpen())
            {
                return answers;
            }
        }
        catch (Exception exception) when (exception is RealtimeException or OperationCanceledException && connection.ClosedFor is not null)
        {
            // Why it was closed says more than what came of that.
        }

        throw new RealtimeException(connection.ClosedFor!);
    }

    private static void WriteHeaders(HttpContext context)
    {
        context.Response.ContentType = StreamApi.ContentType;
        context.Response.Headers.CacheControl = "no-store";
        context.Response.Headers["X-Accel-Buffering"] = "no";
        context.Features.GetRequiredFeature<IHttpResponseBodyFeature>().DisableBuffering();
    }

    private void Begin(StreamPosition at, SubscribeAnswer[] answers)
    {
        var topics = answers.Select((answer, topic) => new StreamTopic(answer.Topic, at[topic], answer.Recovery)).ToArray();
        // The readers of a node that has gone do not come back all at once.
        transport.Begin(at, JsonSerializer.SerializeToUtf8Bytes(new StreamStart(topics), HttpJson.Default.StreamStart), Random.Shared.Next(MinRetryMs, MaxRetryMs));
        foreach (var (topic, answer) in answers.Index())
        {
            foreach (var read in answer.Events)
            {
                transport.Write(read);
            }

            if (answer.More)
            {
                _behind.Enqueue(topic);
            }
            else
            {
                transport.GoLive(topic);
            }
        }
    }

    private async Task BeatAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(Heartbeat, time);
        while (await timer.WaitForNextTickAsync(cancellationToken))
        {
            if (transport.TryTakeTurn())
            {
                try
                {
                    transport.WriteHeartbeat();
                    await transport.FlushAsync(cancellationToken);
                }
                finally
                {
                    transport.EndTurn();
                }
            }
        }
    }

    private async Task FollowAsync(CancellationToken cancellationToken)
    {
        // 3.
        while (_behind.TryDequeue(out var topic))
        {
            while (await CatchUpAsync(topic, afterReset: false, cancellationToken))
            {
            }
        }

        // 4.
        await foreach (var topic in transport.Resets.ReadAllAsync(cancellationToken))
        {
            for (var afterReset = true; await CatchUpAsync(topic, afterReset, cancellationToken); afterReset = false)
            {
            }
        }
    }

    /// <summary>Writes the next page of a topic, or what there is until it is live. True: there is more.</summary>
    private async Task<bool> CatchUpAsync(int topic, bool afterReset, CancellationToken cancellationToken)
    {
        var name = starts[topic].Name;
        await transport.TakeTurnAsync(cancellationToken);
        try
        {
            var answer = await path.SubscribeAsync(connection, new TopicStart(name, transport[topic], Presence: starts[topic].Presence).ToRequest(ephemeral: true), cancellationToken);
            if (answer.Recovery is not Recovery.Recovered)
            {
                transport[topic] = answer.Position;
                if (!afterReset)
                {
                    // What was to come next has been dropped or replaced meanwhile.
                    transport.Write(new Control { Type = Control.Reset, Topic = name.Value, Position = answer.Position });
                }
            }

            if (afterReset || answer.Recovery is not Recovery.Recovered)
            {
                transport.Write(new Control { Type = Control.Subscribed, Topic = name.Value, Position = transport[topic] });
            }

            foreach (var read in answer.Events)
            {
                transport.Write(read);
            }

            if (!answer.More)
            {
                transport.GoLive(topic);
            }

            await transport.FlushAsync(cancellationToken);
            return answer.More;
        }
        catch (RealtimeException exception)
        {
            // The reader comes back with its positions, and is told then whether that helps.
            transport.Write(new Control { Type = Control.Unsubscribed, Topic = name.Value, Code = exception.Code, Reason = exception.Message });
            await transport.FlushAsync(cancellationToken);
            transport.End();
            return false;
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            // A fault of ours ends the stream: one that only beats would look alive.
            transport.End();
            throw;
        }
        finally
        {
            transport.EndTurn();
        }
    }
}
