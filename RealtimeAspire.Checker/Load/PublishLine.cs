using RealtimeAspire.Checker.Proof;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Checker.Load;

/// <summary>A way for a publisher's requests.</summary>
internal interface IPublishLine : IAsyncDisposable
{
    /// <summary>Opens it where it is not open. Tries until it succeeds or is cancelled; then it is not open, which is no error.</summary>
    Task OpenAsync(CancellationToken cancellationToken);

    /// <summary>One attempt, sent before this first waits.</summary>
    Task<Attempt> TryAsync(PublishRequest request, TimeSpan timeout, CancellationToken cancellationToken);
}

/// <summary>Over the hub: one connection after another.</summary>
internal sealed class HubPublishLine(string user, string name, LoadOptions options, Tally tally, TimeProvider time) : IPublishLine
{
    private readonly Random _random = options.RandomOf(name);
    private readonly SemaphoreSlim _opening = new(1);
    private volatile HubLink? _link;
    private int _connections;

    public async Task OpenAsync(CancellationToken cancellationToken)
    {
        await _opening.WaitAsync(CancellationToken.None);
        try
        {
            for (var failures = 0; !IsOpen && !cancellationToken.IsCancellationRequested; failures++)
            {
                await OpenOnceAsync(cancellationToken);
                if (!IsOpen)
                {
                    await Pacing.BackOffAsync(_random, failures, time, cancellationToken);
                }
            }
        }
        finally
        {
            _opening.Release();
        }
    }

    public Task<Attempt> TryAsync(PublishRequest request, TimeSpan timeout, CancellationToken cancellationToken)
    {
        var link = _link;
        return Attempts.MakeAsync(link?.Name, tally, () => link is null
            ? throw new RealtimeException(ErrorCode.Disconnected)
            : link.PublishAsync(request, timeout, cancellationToken));
    }

    public async ValueTask DisposeAsync()
    {
        if (_link is { } link)
        {
            await link.DisposeAsync();
        }

        _opening.Dispose();
    }

    /// <summary>Where the node leaves, the next one goes elsewhere.</summary>
    private bool IsOpen => _link is { Lost.IsCompleted: false, Draining.IsCompleted: false };

    private async Task OpenOnceAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (_link is { } lost)
            {
                await Pacing.WaitAsync(lost.Draining.IsCompletedSuccessfully ? await lost.Draining : TimeSpan.Zero, time, cancellationToken);
                _link = null;
                await lost.DisposeAsync();
            }

            var token = await options.Token(user, cancellationToken);
            _link = await HubLink.OpenAsync(options.PublishAt(_connections), token, $"{name}/{_connections}", null, null, tally, time, cancellationToken);
        }
        catch (RealtimeException exception) when (exception.Error.Retryable)
        {
            // To be tried again.
        }
        catch (RealtimeException exception)
        {
            throw new CannotRunException($"{user} is refused with {exception.Code}: {exception.Message}", exception);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Not open.
        }
        finally
        {
            _connections++;
        }
    }
}

/// <summary>Over HTTP, where requests have no order but that of waiting for each other.</summary>
internal sealed class HttpPublishLine(string user, LoadOptions options, Tally tally, TimeProvider time) : IPublishLine
{
    private readonly HttpApi _api = new(user, options, time);

    public Task OpenAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task<Attempt> TryAsync(PublishRequest request, TimeSpan timeout, CancellationToken cancellationToken) =>
        Attempts.MakeAsync(connection: null, tally, () => _api.PublishAsync(request, timeout, cancellationToken));

    public ValueTask DisposeAsync()
    {
        _api.Dispose();
        return ValueTask.CompletedTask;
    }
}

internal static class Attempts
{
    /// <summary>Makes one and says what came of it. What may have been appended has an unknown outcome.</summary>
    public static async Task<Attempt> MakeAsync(string? connection, Tally tally, Func<Task<PublishReply>> publish)
    {
        var sent = tally.Send();
        Answer answer;
        try
        {
            var reply = await publish();
            answer = new Answer.Acknowledged(reply.Position, reply.Timestamp, reply.Duplicate);
        }
        catch (RealtimeException exception)
        {
            answer = exception.Error.Retryable ? new Answer.Unknown(exception.Code) : new Answer.Refused(exception.Code);
        }
        catch (OperationCanceledException)
        {
            answer = new Answer.Unknown("cancelled");
        }

        return new Attempt(connection, sent, tally.Settle(sent, isKnown: answer is not Answer.Unknown), answer);
    }
}
