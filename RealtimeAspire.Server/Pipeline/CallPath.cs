using System.Diagnostics;
using System.Text.Json;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Observability;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Calls;
using RealtimeAspire.Server.Pipeline.Connections;
using RealtimeAspire.Server.Pipeline.Limits;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline;

/// <summary>
/// Request and reply between clients: a call goes to one of those who handle its method on its topic, and the answer to the caller alone.
/// <code>
/// caller ── hub / HTTP ──►  1  Limits         admit: rate, size
///                           2  Authorization  may this identity call here?
///                           3  Calls          to a handler of this node, else of another: once at most
///                           4  reply          the handler's answer, or its error; or none in time
/// </code>
/// </summary>
/// <remarks>
/// Nothing of a call is stored, and none is ever sent twice: a caller that has no answer does not know whether it was done.
/// </remarks>
/// <param name="limits">Admits calls.</param>
/// <param name="requests">Admits who handles.</param>
/// <param name="access">Decides.</param>
/// <param name="topics">The types.</param>
/// <param name="handlers">Who handles what on this node.</param>
/// <param name="handed">What they have been asked.</param>
/// <param name="tracing">Traces.</param>
/// <param name="instruments">Count.</param>
/// <param name="time">Measures time-outs.</param>
/// <param name="nodes">The other nodes; null where there are none.</param>
internal sealed class CallPath(
    PublishLimiter limits,
    RequestLimiter requests,
    TopicAccess access,
    TopicCatalog topics,
    CallHandlers handlers,
    HandedCalls handed,
    RealtimeTracing tracing,
    RealtimeInstruments instruments,
    TimeProvider time,
    RedisCalls? nodes = null)
{
    private const int DefaultTimeout = 5_000;
    private const int MaxTimeout = 60_000;
    private const int MaxMessageLength = 1_000;

    // Half of what a connection may ask for at once: a publish never waits behind calls.
    private const int MaxCalls = 16;

    // Each keeps its payload until it is answered.
    private const int MaxCallsOverHttp = 256;

    private readonly FairPlaces<Caller> _overHttp = new(MaxCallsOverHttp);

    /// <summary>Calls for a connection, which may have so many calls under way.</summary>
    /// <inheritdoc cref="AskAsync"/>
    public async Task<JsonElement> CallAsync(Connection connection, CallRequest request, CancellationToken cancellationToken)
    {
        if (!connection.TryBeginCall(MaxCalls))
        {
            throw new RealtimeException(ErrorCode.Overloaded, $"A connection has at most {MaxCalls} calls under way.");
        }

        try
        {
            return await AskAsync(connection.Caller, request, cancellationToken);
        }
        finally
        {
            connection.EndCall();
        }
    }

    /// <summary>Calls for who has no connection, and may have so many calls under way at this node.</summary>
    /// <inheritdoc cref="AskAsync"/>
    public async Task<JsonElement> CallAsync(Caller caller, CallRequest request, CancellationToken cancellationToken)
    {
        if (!await _overHttp.TryEnterAsync(caller, TimeSpan.Zero, cancellationToken))
        {
            throw new RealtimeException(ErrorCode.Overloaded, $"A user has at most {MaxCallsOverHttp} calls under way over HTTP.");
        }

        try
        {
            return await AskAsync(caller, request, cancellationToken);
        }
        finally
        {
            _overHttp.Leave(caller);
        }
    }

    /// <param name="caller">Who calls.</param>
    /// <param name="request">Untrusted; every member is validated here.</param>
    /// <param name="cancellationToken">The caller waits no longer.</param>
    /// <returns>The handler's answer.</returns>
    /// <exception cref="RealtimeException">Refused or failed, with a code.</exception>
    private async Task<JsonElement> AskAsync(Caller caller, CallRequest request, CancellationToken cancellationToken)
    {
        var (target, policy) = TargetOf(caller, request.Topic, request.Method);
        var timeout = request.TimeoutMs ?? DefaultTimeout;
        if (timeout is < 1 or > MaxTimeout)
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, $"A timeoutMs is 1 to {MaxTimeout}.");
        }

        // 1.
        var payload = PayloadForm.RequireOptional(request.Payload, policy.PayloadBytes, limits.PayloadMembers);
        limits.Admit(caller, 0, policy.PayloadBytes);

        // 2.
        access.RequireCall(caller, policy, target.Topic.Name);

        var started = time.GetTimestamp();
        using var activity = tracing.StartCall(caller, target, request.TraceId);
        var call = new IncomingCall
        {
            CallId = Guid.NewGuid().ToString("N"),
            Topic = target.Topic.Name.Value,
            Method = target.Method,
            Payload = payload,
            From = caller.UserId,
            TimeoutMs = timeout,
            TraceId = activity?.Id ?? request.TraceId,
        };
        var code = "ok";
        try
        {
            // 3.
            var result = await HandAsync(target, call, cancellationToken);

            // 4.
            return result.Unwrap();
        }
        catch (RealtimeException exception)
        {
            code = exception.Code;
            activity?.SetStatus(ActivityStatusCode.Error, code);
            throw;
        }
        finally
        {
            // Codes of applications are theirs to invent: one name for all of them.
            instruments.Called(caller.Tenant, policy.Type, ErrorCode.IsOfApplication(code) ? ErrorCode.CallFailed.Code : code, time.GetElapsedTime(started));
        }
    }

    /// <summary>The connection handles the method from now on, until it says otherwise or ends.</summary>
    /// <param name="connection">Who handles.</param>
    /// <param name="request">Untrusted; every member is validated here.</param>
    /// <exception cref="RealtimeException">Refused, with a code.</exception>
    public async Task HandleAsync(Connection connection, HandleRequest request)
    {
        requests.Admit(connection.Caller);
        var (target, policy) = TargetOf(connection.Caller, request.Topic, request.Method);
        access.RequireHandle(connection.Caller, policy, target.Topic.Name);
        handlers.Add(target, connection);
        // What has left in the meantime has looked for its handlers before there was this one.
        if (connection.HasClosed)
        {
            handlers.Remove(target, connection);
        }

        await FollowAsync(target);
    }

    /// <summary>The connection does not handle the method any more.</summary>
    /// <param name="connection">Who has handled.</param>
    /// <param name="request">Untrusted; every member is validated here.</param>
    /// <exception cref="RealtimeException">Refused, with a code.</exception>
    public async Task UnhandleAsync(Connection connection, HandleRequest request)
    {
        requests.Admit(connection.Caller);
        var (target, _) = TargetOf(connection.Caller, request.Topic, request.Method);
        handlers.Remove(target, connection);
        await FollowAsync(target);
    }

    /// <summary>A connection answers a call.</summary>
    /// <param name="connection">Who answers.</param>
    /// <param name="request">Untrusted; every member is validated here.</param>
    /// <exception cref="RealtimeException">Refused, with a code; the call may still be answered, but for <c>call_unknown</c>.</exception>
    public void Reply(Connection connection, ReplyRequest request)
    {
        var result = request.Error is { } error
            ? new CallResult(default, ToBody(error))
            : new CallResult(PayloadForm.RequireOptional(request.Payload, limits.PayloadBytes, limits.PayloadMembers), null);
        handed.Answer(connection, request.CallId ?? "", result);
    }

    /// <summary>A connection is gone.</summary>
    public void Leave(Connection connection)
    {
        foreach (var target in handlers.RemoveAll(connection))
        {
            _ = FollowAsync(target);
        }

        handed.Leave(connection);
    }

    private static ErrorBody ToBody(CallError error)
    {
        var code = error.Code ?? ErrorCode.CallFailed.Code;
        if (code != ErrorCode.CallFailed.Code && !ErrorCode.IsOfApplication(code))
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, "The code of an error is app_ and up to 60 of a-z, 0-9 and _.");
        }

        if (error.Message is { Length: 0 or > MaxMessageLength })
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, $"The message of an error has 1 to {MaxMessageLength} characters.");
        }

        return new ErrorBody(code, error.Message ?? ErrorCode.CallFailed.Sentence, Retryable: false);
    }

    private (CallTarget Target, TopicPolicy Policy) TargetOf(Caller caller, string? topic, string? method)
    {
        var name = TopicName.Parse(topic);
        var policy = topics.Get(new TopicKey(caller.Tenant, name));
        return EventCatalog.IsName(method)
            ? (new CallTarget(new TopicKey(caller.Tenant, name), method!), policy)
            : throw new RealtimeException(ErrorCode.MethodInvalid);
    }

    private async Task<CallResult> HandAsync(CallTarget target, IncomingCall call, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMilliseconds(call.TimeoutMs), time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        var answer = new TaskCompletionSource<CallResult>(TaskCreationOptions.RunContinuationsAsynchronously);
        try
        {
            if (handed.TryHand(target, call, result => answer.TrySetResult(result)))
            {
                return await answer.Task.WaitAsync(either.Token);
            }

            return nodes is null ? CallResult.From(ErrorCode.NoHandler) : await nodes.CallAsync(target, call, either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return CallResult.From(ErrorCode.CallTimeout);
        }
    }

    private Task FollowAsync(CallTarget target) => nodes?.FollowAsync(target) ?? Task.CompletedTask;
}
