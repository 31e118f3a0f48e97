using System.Net.Http.Json;
using System.Net.ServerSentEvents;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Client.Transports;

/// <summary>
/// The transports for networks that let no WebSocket through. What is sent is sent by requests; what comes is streamed, or, where
/// something on the way holds streams back, asked for again and again. Nothing depends on which node answers.
/// </summary>
internal sealed class HttpLink : ILink
{
    /// <summary>More than the server sends over one stream.</summary>
    private const int MaxStreamed = 50;

    /// <summary>Below what proxies allow for an address.</summary>
    private const int MaxAddress = 4_000;

    private static readonly TimeSpan LongestPoll = TimeSpan.FromSeconds(25);

    /// <summary>Between the comments with which a server shows that a quiet stream lives.</summary>
    private static readonly TimeSpan Beat = TimeSpan.FromSeconds(15);

    private readonly HttpDoor _door;
    private readonly RealtimeClientOptions _options;
    private readonly ILinkListener _listener;
    private readonly CancellationTokenSource _ended = new();
    private readonly TaskCompletionSource<RealtimeException?> _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _lock = new();

    // Under the lock.
    private readonly Dictionary<string, SubscribeRequest> _topics = new(StringComparer.Ordinal);
    private CancellationTokenSource? _receiving;

    private volatile bool _streams;

    public HttpLink(HttpDoor door, RealtimeClientOptions options, ILinkListener listener)
    {
        (_door, _options, _listener) = (door, options, listener);
        _streams = options.Transports.Contains(Transport.Stream);
    }

    public Transport Transport => _streams ? Transport.Stream : Transport.Poll;

    public Task<RealtimeException?> Closed => _closed.Task;

    private bool MayPoll => _options.Transports.Contains(Transport.Poll);

    public async Task<SubscribeOutcome[]> SubscribeAsync(SubscribeRequest[] requests, CancellationToken cancellationToken)
    {
        var outcomes = await AskAsync(HttpMethod.Post, "/topics/poll", ToJson(requests), RealtimeJson.Default.SubscribeOutcomeArray, TimeSpan.Zero, cancellationToken);
        lock (_lock)
        {
            foreach (var (request, outcome) in requests.Zip(outcomes))
            {
                if (outcome.Reply is { More: false } reply)
                {
                    _topics[request.Topic!] = new SubscribeRequest { Topic = request.Topic, Position = reply.Position, Qos = request.Qos, Presence = request.Presence };
                }
            }

            Restart_NeedsLock();
        }

        return outcomes;
    }

    public Task UnsubscribeAsync(string topic, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (_topics.Remove(topic))
            {
                Restart_NeedsLock();
            }
        }

        return Task.CompletedTask;
    }

    /// <summary>All are of one topic: the outbox has a lane for each.</summary>
    public Task<PublishOutcome[]> PublishAsync(PublishRequest[] requests, CancellationToken cancellationToken) => AskAsync(
        HttpMethod.Post,
        $"/topics/{Uri.EscapeDataString(requests[0].Topic!)}/events",
        ToJson(Array.ConvertAll(requests, static request => request with { Topic = null })),
        RealtimeJson.Default.PublishOutcomeArray,
        TimeSpan.Zero,
        cancellationToken);

    public Task<HistoryReply> HistoryAsync(HistoryRequest request, CancellationToken cancellationToken)
    {
        string?[] query =
        [
            request.After is { } after ? $"after={Escape(after)}" : null,
            request.Before is { } before ? $"before={Escape(before)}" : null,
            request.Limit is { } limit ? $"limit={limit}" : null,
        ];
        return AskAsync(
            HttpMethod.Get,
            $"/topics/{Uri.EscapeDataString(request.Topic!)}/events?{string.Join('&', query.OfType<string>())}",
            null,
            RealtimeJson.Default.HistoryReply,
            TimeSpan.Zero,
            cancellationToken);
    }

    public Task AcknowledgeAsync(AcknowledgeRequest request, CancellationToken cancellationToken) => AskAsync<object>(
        HttpMethod.Put,
        $"/topics/{Uri.EscapeDataString(request.Topic!)}/cursors/{Uri.EscapeDataString(request.Consumer!)}",
        JsonContent.Create(new AcknowledgeRequest { Position = request.Position }, RealtimeJson.Default.AcknowledgeRequest),
        null,
        TimeSpan.Zero,
        cancellationToken);

    public Task SetPresenceAsync(PresenceRequest request, CancellationToken cancellationToken) => AskAsync<object>(
        HttpMethod.Put, "/presence", JsonContent.Create(request, RealtimeJson.Default.PresenceRequest), null, TimeSpan.Zero, cancellationToken);

    public Task<PresencePage> ListPresenceAsync(PresencePageRequest request, CancellationToken cancellationToken)
    {
        string?[] query = [request.After is { } after ? $"after={Uri.EscapeDataString(after)}" : null, request.Limit is { } limit ? $"limit={limit}" : null];
        return AskAsync(
            HttpMethod.Get,
            $"/topics/{Uri.EscapeDataString(request.Topic!)}/presence?{string.Join('&', query.OfType<string>())}",
            null,
            RealtimeJson.Default.PresencePage,
            TimeSpan.Zero,
            cancellationToken);
    }

    public Task<JsonElement> CallAsync(CallRequest request, CancellationToken cancellationToken) => AskAsync(
        HttpMethod.Post,
        $"/topics/{Uri.EscapeDataString(request.Topic!)}/calls/{Uri.EscapeDataString(request.Method!)}?timeoutMs={request.TimeoutMs}",
        JsonContent.Create(request.Payload, RealtimeJson.Default.JsonElement),
        RealtimeJson.Default.JsonElement,
        TimeSpan.FromMilliseconds(request.TimeoutMs!.Value),
        cancellationToken);

    public Task ReceiptsAsync(Receipt[] receipts, CancellationToken cancellationToken) => AskAsync<object>(
        HttpMethod.Post, "/receipts", JsonContent.Create(receipts, RealtimeJson.Default.ReceiptArray), null, TimeSpan.Zero, cancellationToken);

    /// <summary>Each request has it from now on; a stream is asked for again with it.</summary>
    public Task RefreshAsync(string token, CancellationToken cancellationToken)
    {
        _door.Token = token;
        lock (_lock)
        {
            Restart_NeedsLock();
        }

        return Task.CompletedTask;
    }

    /// <summary>Asks for what is new in all topics: if there is something, the stream has not brought it.</summary>
    public async Task ProbeAsync(CancellationToken cancellationToken)
    {
        bool isEmpty;
        lock (_lock)
        {
            isEmpty = _topics.Count == 0;
        }

        if (isEmpty)
        {
            await AskAsync<object>(HttpMethod.Get, "/alive", null, null, TimeSpan.Zero, cancellationToken);
        }
        else if (await PollAsync(TimeSpan.Zero, cancellationToken))
        {
            lock (_lock)
            {
                Restart_NeedsLock();
            }
        }
    }

    public ValueTask DisposeAsync()
    {
        End(null);
        return ValueTask.CompletedTask;
    }

    /// <summary>A token that is refused is the link's end, and the next one's beginning: what was asked for is asked for again.</summary>
    private async Task<T> AskAsync<T>(
        HttpMethod method, string path, HttpContent? body, JsonTypeInfo<T>? type, TimeSpan patience, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(_ended.Token, cancellationToken);
        try
        {
            return await _door.AskAsync(method, path, body, type, patience, either.Token);
        }
        catch (RealtimeException exception) when (ServerConnection.IsOfToken(exception))
        {
            End(exception);
            throw new RealtimeException(ErrorCode.Disconnected, exception.Message, exception);
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw new RealtimeException(ErrorCode.Disconnected, ErrorCode.Disconnected.Sentence, exception);
        }
    }

    private void End(RealtimeException? reason)
    {
        lock (_lock)
        {
            _ended.Cancel();
            _receiving?.Cancel();
            _topics.Clear();
        }

        _closed.TrySetResult(reason);
    }

    /// <summary>Receives from now on what the topics of this moment bring.</summary>
    private void Restart_NeedsLock()
    {
        _receiving?.Cancel();
        if (!_ended.IsCancellationRequested)
        {
            var receiving = _receiving = new CancellationTokenSource();
            _ = Task.Run(() => ReceiveAsync(receiving.Token));
        }
    }

    private async Task ReceiveAsync(CancellationToken stopped)
    {
        try
        {
            while (!stopped.IsCancellationRequested && HasTopics(out var address))
            {
                if (address is not null)
                {
                    await StreamAsync(address, stopped);
                }
                else
                {
                    await PollAsync(PollTime, stopped);
                }
            }
        }
        catch (Exception exception) when (!stopped.IsCancellationRequested)
        {
            End(exception is RealtimeException known && (known.Error.Retryable || ServerConnection.IsOfToken(known))
                ? known
                : new RealtimeException(ErrorCode.Disconnected, ErrorCode.Disconnected.Sentence, exception));
        }
        catch (Exception exception) when (exception is OperationCanceledException or RealtimeException)
        {
            // Others receive now, or nobody.
        }
    }

    /// <summary>Less than a heartbeat, so that a waiting poll is not taken for a dead one.</summary>
    private TimeSpan PollTime => TimeSpan.FromSeconds(Math.Clamp(Math.Floor(_options.Silence.TotalSeconds / 2) - 1, 1, LongestPoll.TotalSeconds));

    /// <param name="address">The stream's; null where a poll does it.</param>
    private bool HasTopics(out string? address)
    {
        lock (_lock)
        {
            var query = string.Join('&', _topics.Values.Select(topic => $"topic={Uri.EscapeDataString(topic.Topic!)}&after={Escape(topic.Position!.Value)}&presence={topic.Presence}"));
            address = _streams && _topics.Count <= MaxStreamed && query.Length <= MaxAddress ? $"/topics/stream?{query}" : null;
            return _topics.Count > 0;
        }
    }

    private async Task StreamAsync(string address, CancellationToken stopped)
    {
        using var given = new CancellationTokenSource(_options.OpenTimeout, _options.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stopped, given.Token);
        var hasBegun = false;
        try
        {
            using var response = await _door.SendAsync(HttpMethod.Get, address, null, "text/event-stream", either.Token);
            if (response.Content.Headers.ContentType?.MediaType == "text/event-stream")
            {
                var silence = _options.Silence > 2 * Beat ? _options.Silence : 2 * Beat;
                await using var body = new HeardStream(await response.Content.ReadAsStreamAsync(either.Token), () =>
                {
                    given.CancelAfter(silence);
                    _listener.Heard();
                });
                await foreach (var frame in SseParser.Create(body).EnumerateAsync(either.Token))
                {
                    hasBegun = true;
                    stopped.ThrowIfCancellationRequested();
                    Take(frame);
                }
            }
        }
        catch (RealtimeException exception) when (!exception.Error.Retryable && !ServerConnection.IsOfToken(exception))
        {
            await FindRefusedAsync(exception, stopped);
            return;
        }
        catch (Exception exception) when (
            !stopped.IsCancellationRequested && (HttpDoor.IsOfNetwork(exception) || exception is OperationCanceledException))
        {
            // Cut or silent, as an end without a word is too.
        }

        // One that has never begun is held back on the way.
        if (hasBegun || !MayPoll)
        {
            throw new RealtimeException(ErrorCode.Disconnected);
        }

        _streams = false;
    }

    /// <summary>A stream is refused as a whole; a poll tells which topic it is.</summary>
    private async Task FindRefusedAsync(RealtimeException refused, CancellationToken stopped)
    {
        int Count()
        {
            lock (_lock)
            {
                return _topics.Count;
            }
        }

        var before = Count();
        await PollAsync(TimeSpan.Zero, stopped);
        if (Count() < before)
        {
            return;
        }

        _streams = MayPoll ? false : throw new RealtimeException(ErrorCode.Disconnected, refused.Message, refused);
    }

    private void Take(SseItem<string> frame)
    {
        switch (frame.EventType)
        {
            case "subscribed":
                foreach (var topic in JsonSerializer.Deserialize<JsonElement>(frame.Data).GetProperty("topics").EnumerateArray())
                {
                    if (topic.GetProperty("recovery").GetString() is "gap" or "new_epoch")
                    {
                        Reset(topic.GetProperty("topic").GetString()!);
                    }
                }

                break;
            case "control":
                Obey(JsonSerializer.Deserialize(frame.Data, RealtimeJson.Default.Control)!);
                break;
            case SseParser.EventTypeDefault:
                Arrive([JsonSerializer.Deserialize(frame.Data, RealtimeJson.Default.TopicEvent)!]);
                break;
        }
    }

    private void Obey(Control control)
    {
        switch (control.Type)
        {
            case Control.Reset:
                Reset(control.Topic!);
                break;
            case Control.Expiring:
                throw new RealtimeException(ErrorCode.TokenExpired, control.Reason ?? ErrorCode.TokenExpired.Sentence);
            case Control.Unsubscribed:
                // Subscribing again says what is the matter.
                throw new RealtimeException(ErrorCode.Disconnected);
            default:
                _listener.Control(control);
                break;
        }
    }

    /// <summary>Asks for what is new, and waits so long for it. True: there was something.</summary>
    private async Task<bool> PollAsync(TimeSpan wait, CancellationToken cancellationToken)
    {
        SubscribeRequest[] asked;
        lock (_lock)
        {
            asked = [.. _topics.Values];
        }

        var outcomes = await AskAsync(
            HttpMethod.Post, $"/topics/poll?wait={(int)wait.TotalSeconds}", ToJson(asked), RealtimeJson.Default.SubscribeOutcomeArray, wait, cancellationToken);
        _listener.Heard();
        var hasNews = false;
        foreach (var (request, outcome) in asked.Zip(outcomes))
        {
            hasNews |= Take(request.Topic!, outcome);
        }

        return hasNews;
    }

    private bool Take(string topic, SubscribeOutcome outcome)
    {
        if (outcome.Error is { Retryable: false } error)
        {
            Leave(topic, new Control { Type = Control.Unsubscribed, Topic = topic, Code = error.Code, Reason = error.Message });
        }
        else if (outcome.Reply is not { Recovery: not (Recovery.Gap or Recovery.NewEpoch) } reply)
        {
            Reset(topic);
        }
        else if (reply.Events.Count > 0)
        {
            Arrive([.. reply.Events]);
            return true;
        }

        return false;
    }

    private void Arrive(TopicEvent[] events)
    {
        lock (_lock)
        {
            foreach (var arrived in events)
            {
                if (arrived.Position is { } at && _topics.TryGetValue(arrived.Topic, out var known))
                {
                    _topics[arrived.Topic] = known with { Position = at };
                }
            }
        }

        _listener.Events(events);
    }

    /// <summary>Whoever has subscribed does so again, and is told what became of the position.</summary>
    private void Reset(string topic) => Leave(topic, new Control { Type = Control.Reset, Topic = topic });

    private void Leave(string topic, Control control)
    {
        lock (_lock)
        {
            if (!_topics.Remove(topic))
            {
                return;
            }
        }

        _listener.Control(control);
    }

    private static string Escape(Position position) => Uri.EscapeDataString(position.ToString());

    private static JsonContent ToJson(SubscribeRequest[] requests) => JsonContent.Create(requests, RealtimeJson.Default.SubscribeRequestArray);

    private static JsonContent ToJson(PublishRequest[] requests) => JsonContent.Create(requests, RealtimeJson.Default.PublishRequestArray);
}
