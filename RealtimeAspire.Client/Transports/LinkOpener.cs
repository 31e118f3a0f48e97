using RealtimeAspire.Protocol;

namespace RealtimeAspire.Client.Transports;

/// <summary>Opens links: a WebSocket where one gets through, else what goes by requests.</summary>
internal sealed class LinkOpener(Uri server, RealtimeClientOptions options, ILinkListener listener)
{
    /// <summary>So many in a row must fail where requests get through, before it is the network that lets none pass.</summary>
    private const int WebSocketAttempts = 2;

    private readonly Breaker _breaker = new(options.BreakerFailures, options.BreakerPause, options.Time);

    // Until then no WebSocket is tried: none got through.
    private DateTimeOffset _noWebSocketUntil;

    private bool TakesWebSockets => options.Transports.Contains(Transport.WebSocket);

    /// <summary>The network may be better now.</summary>
    public void Wake() => _breaker.Reset();

    /// <exception cref="RealtimeException">What the server says, <c>disconnected</c>, or <c>circuit_open</c>.</exception>
    public async Task<ILink> OpenAsync(string? token, CancellationToken stopped)
    {
        var hasOther = options.Transports.Any(transport => transport is not Transport.WebSocket);
        if (TakesWebSockets && (!hasOther || options.Time.GetUtcNow() >= _noWebSocketUntil))
        {
            for (var attempt = 1; attempt <= WebSocketAttempts; attempt++)
            {
                try
                {
                    return await OpenWebSocketAsync(token, stopped);
                }
                catch (Exception exception) when (!stopped.IsCancellationRequested)
                {
                    await GreetAsync(token, exception, stopped);
                    if (!hasOther)
                    {
                        throw;
                    }
                }
            }

            _noWebSocketUntil = options.Time.GetUtcNow() + options.RetryWebSocketAfter;
        }
        else
        {
            await GreetAsync(token, null, stopped);
        }

        return new HttpLink(new HttpDoor(server, token, options.AnswerTimeout, _breaker, options.Time), options, listener);
    }

    /// <summary>A WebSocket costs less: waits until the network has come to let one through.</summary>
    /// <param name="link">What there is meanwhile.</param>
    /// <param name="stopped">Gives up.</param>
    /// <returns>It, and its token; null: the link is a WebSocket, or has gone before.</returns>
    public async Task<(ILink Link, string? Token)?> OpenBetterAsync(ILink link, CancellationToken stopped)
    {
        while (link.Transport is not Transport.WebSocket && TakesWebSockets && !link.Closed.IsCompleted && !stopped.IsCancellationRequested)
        {
            var rest = _noWebSocketUntil - options.Time.GetUtcNow();
            if (rest > TimeSpan.Zero)
            {
                using var over = new CancellationTokenSource(rest, options.Time);
                await ((Task)link.Closed).WaitAsync(over.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                continue;
            }

            try
            {
                var token = options.Token is { } provider ? await provider(false) : null;
                return (await OpenWebSocketAsync(token, stopped), token);
            }
            // It stays as it is. Whatever the token's provider throws, too.
#pragma warning disable CA1031
            catch (Exception)
#pragma warning restore CA1031
            {
                _noWebSocketUntil = options.Time.GetUtcNow() + options.RetryWebSocketAfter;
            }
        }

        return null;
    }

    private async Task<ILink> OpenWebSocketAsync(string? token, CancellationToken stopped)
    {
        using var limit = new CancellationTokenSource(options.OpenTimeout, options.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stopped);
        return await HubLink.OpenAsync(server, options, token, listener, either.Token);
    }

    /// <summary>Whether requests get through, and the token with them: what a refused WebSocket does not say, the same address does.</summary>
    /// <param name="token">The token.</param>
    /// <param name="unless">What is the matter where this cannot tell more.</param>
    /// <param name="stopped">Gives up.</param>
    private async Task GreetAsync(string? token, Exception? unless, CancellationToken stopped)
    {
        try
        {
            var door = new HttpDoor(server, token, options.OpenTimeout, _breaker, options.Time);
            await door.AskAsync<object>(HttpMethod.Post, "/realtime/negotiate?negotiateVersion=1", null, null, TimeSpan.Zero, stopped);
        }
        catch (RealtimeException exception) when (
            unless is not null && exception.RetryAfter is null && (exception.Error == ErrorCode.Disconnected || exception.Error == ClientErrors.CircuitOpen))
        {
            throw unless;
        }
    }
}
