using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using RealtimeAspire.Client.Transports;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Client;

/// <summary>Request and reply: what other clients are asked, and what is answered here. A call is sent once at most, and never again.</summary>
internal sealed class Calls(RealtimeClientOptions options)
{
    public static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(5);

    /// <summary>Beyond the server's own time-out: by then its answer would have come.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(2);

    private readonly ConcurrentDictionary<(string Topic, string Method), CallHandling> _handled = new();
    private readonly Lock _lock = new();

    // Under the lock.
    private TaskCompletionSource<ILink> _connected = NewConnected();

    private volatile ILink? _link;
    private volatile RealtimeException? _closed;

    /// <summary>There is a connection, or there is none any more.</summary>
    public void Connect(ILink? link)
    {
        lock (_lock)
        {
            _link = link;
            if (link is null)
            {
                _connected = NewConnected();
                return;
            }

            _connected.TrySetResult(link);
        }

        foreach (var (_, handling) in _handled)
        {
            _ = RegisterAsync(handling);
        }
    }

    /// <summary>For good.</summary>
    public void Close(RealtimeException reason)
    {
        lock (_lock)
        {
            _closed = reason;
            _connected = NewConnected();
            _connected.SetException(reason);
            // Whether anybody waits for it or not.
            _ = _connected.Task.Exception;
        }

        foreach (var (_, handling) in _handled)
        {
            End(handling, reason);
        }
    }

    public async Task<JsonElement> CallAsync(string topic, string method, JsonElement payload, TimeSpan timeout, CancellationToken cancellationToken)
    {
        var started = options.Time.GetTimestamp();
        using var activity = ClientTracing.Start("call", ActivityKind.Client, topic, method);
        try
        {
            var link = await ConnectedAsync().WaitAsync(cancellationToken).WithinAsync(timeout, options.Time);
            var rest = timeout - options.Time.GetElapsedTime(started);
            var request = new CallRequest
            {
                Topic = topic,
                Method = method,
                Payload = payload,
                TimeoutMs = Math.Max(1, (int)rest.TotalMilliseconds),
                TraceId = activity?.Id,
            };
            return await link.CallAsync(request, cancellationToken).WithinAsync(rest + Grace, options.Time);
        }
        catch (RealtimeException exception)
        {
            activity?.SetStatus(ActivityStatusCode.Error, exception.Code);
            throw;
        }
    }

    public async Task<CallHandling> HandleAsync(string topic, string method, Func<IncomingCall, Task<object?>> handler, CancellationToken cancellationToken)
    {
        var handling = new CallHandling(topic, method, handler, LeaveAsync);
        CallHandling? replaced = null;
        _handled.AddOrUpdate((topic, method), handling, (_, current) =>
        {
            replaced = current;
            return handling;
        });
        replaced?.Finish(new RealtimeException(ClientErrors.Replaced));
        if (_closed is { } reason)
        {
            End(handling, reason);
        }

        _ = RegisterAsync(handling);
        try
        {
            if (await Task.WhenAny(handling.Accepted.Task, handling.Ended).WaitAsync(cancellationToken) == handling.Ended && await handling.Ended is { } refused)
            {
                throw refused;
            }
        }
        catch (OperationCanceledException)
        {
            await handling.DisposeAsync();
            throw;
        }

        return handling;
    }

    /// <summary>Somebody calls.</summary>
    public async Task AnswerAsync(IncomingCall call)
    {
        var link = _link as IHandlingLink;
        var reply = await ReplyToAsync(call);
        try
        {
            await (link?.ReplyAsync(reply, CancellationToken.None) ?? Task.CompletedTask);
        }
        catch (RealtimeException)
        {
            // Nobody waits for it any more, or the caller is told that its handler has gone.
        }
    }

    private async Task<ReplyRequest> ReplyToAsync(IncomingCall call)
    {
        if (!_handled.TryGetValue((call.Topic, call.Method), out var handling))
        {
            return Failed(ErrorCode.CallFailed.Code, "The method is not handled here any more.");
        }

        using var activity = ClientTracing.Continue("handle", ActivityKind.Server, call.TraceId, call.Topic)?.SetTag("realtime.method", call.Method);
        try
        {
            // On a thread of its own: what comes behind it does not wait.
            var answer = await Task.Run(() => handling.Handler(call));
            return new ReplyRequest { CallId = call.CallId, Payload = JsonSerializer.SerializeToElement(answer, JsonSerializerOptions.Web) };
        }
        catch (RealtimeException exception) when (ErrorCode.IsOfApplication(exception.Code))
        {
            activity?.SetStatus(ActivityStatusCode.Error, exception.Code);
            return Failed(exception.Code, exception.Message);
        }
        // What else went wrong here is nobody's business but the application's.
#pragma warning disable CA1031
        catch (Exception exception)
#pragma warning restore CA1031
        {
            activity?.SetStatus(ActivityStatusCode.Error, exception.GetType().Name);
            return Failed(ErrorCode.CallFailed.Code, "The handler has failed.");
        }

        ReplyRequest Failed(string code, string message) => new() { CallId = call.CallId, Error = new CallError(code, message) };
    }

    /// <summary>Until it is accepted, refused, or over; where the transport carries no calls, with the next one that does.</summary>
    private async Task RegisterAsync(CallHandling handling)
    {
        var link = _link as IHandlingLink;
        for (var failed = 0; link is not null && _link == link && IsCurrent(handling); failed++)
        {
            try
            {
                await link.HandleAsync(new HandleRequest { Topic = handling.Topic, Method = handling.Method }, CancellationToken.None);
                handling.Accepted.TrySetResult();
                return;
            }
            catch (RealtimeException exception) when (!exception.Error.Retryable)
            {
                End(handling, exception);
            }
            catch (RealtimeException)
            {
                await Task.Delay(options.Reconnect.DelayAfter(failed), options.Time);
            }
        }
    }

    private async ValueTask LeaveAsync(CallHandling handling)
    {
        if (!_handled.TryRemove(KeyValuePair.Create((handling.Topic, handling.Method), handling)) || _link is not IHandlingLink link)
        {
            return;
        }

        try
        {
            await link.UnhandleAsync(new HandleRequest { Topic = handling.Topic, Method = handling.Method }, CancellationToken.None);
        }
        catch (RealtimeException)
        {
            // Gone with its connection.
        }
    }

    private void End(CallHandling handling, RealtimeException reason)
    {
        _handled.TryRemove(KeyValuePair.Create((handling.Topic, handling.Method), handling));
        handling.Finish(reason);
    }

    private bool IsCurrent(CallHandling handling) =>
        _handled.TryGetValue((handling.Topic, handling.Method), out var current) && ReferenceEquals(current, handling);

    private Task<ILink> ConnectedAsync()
    {
        lock (_lock)
        {
            return _connected.Task;
        }
    }

    private static TaskCompletionSource<ILink> NewConnected() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}

/// <summary>A method that is handled here, until it is disposed.</summary>
public sealed class CallHandling : IAsyncDisposable
{
    private readonly Func<CallHandling, ValueTask> _leave;
    private readonly TaskCompletionSource<RealtimeException?> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal CallHandling(string topic, string method, Func<IncomingCall, Task<object?>> handler, Func<CallHandling, ValueTask> leave) =>
        (Topic, Method, Handler, _leave) = (topic, method, handler, leave);

    /// <summary>The topic's name.</summary>
    public string Topic { get; }

    /// <summary>The method.</summary>
    public string Method { get; }

    /// <summary>Completes when it has ended: with null where the application has ended it, else with what went wrong. Never fails.</summary>
    public Task<RealtimeException?> Ended => _ended.Task;

    internal Func<IncomingCall, Task<object?>> Handler { get; }

    internal TaskCompletionSource Accepted { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Handles no more calls.</summary>
    public async ValueTask DisposeAsync()
    {
        await _leave(this);
        Finish(null);
    }

    internal void Finish(RealtimeException? reason) => _ended.TrySetResult(reason);
}
