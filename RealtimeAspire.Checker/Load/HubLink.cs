using System.Net.WebSockets;
using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Client;
using Microsoft.Extensions.DependencyInjection;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Checker.Load;

/// <summary>
/// One connection to the hub, from its opening to its loss. It does not come back, drops nothing and repairs nothing: what
/// comes over the wire is handed on as it came.
/// </summary>
internal sealed class HubLink : IAsyncDisposable
{
    private static readonly TimeSpan OpenTime = TimeSpan.FromSeconds(5);

    private readonly HubConnection _connection;
    private readonly TimeProvider _time;
    private readonly TaskCompletionSource _lost = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<TimeSpan> _draining = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool _isUnwanted;

    private HubLink(HubConnection connection, string name, Tally tally, TimeProvider time)
    {
        (_connection, Name, _time) = (connection, name, time);
        _connection.Closed += exception =>
        {
            if (!_isUnwanted && !Draining.IsCompleted)
            {
                tally.TakeLeave(name, WireError.CloseCodeOf(exception));
            }

            _lost.TrySetResult();
            return Task.CompletedTask;
        };
    }

    public string Name { get; }

    /// <summary>Completes when the connection has ended.</summary>
    public Task Lost => _lost.Task;

    /// <summary>Completes when the node leaves: with the time after which to connect again.</summary>
    public Task<TimeSpan> Draining => _draining.Task;

    /// <exception cref="RealtimeException"><c>disconnected</c>, <c>token_invalid</c>.</exception>
    public static async Task<HubLink> OpenAsync(
        Uri server, string token, string name, Action<TopicEvent[]>? events, Action<Control>? control, Tally tally, TimeProvider time, CancellationToken cancellationToken)
    {
        var connection = new HubConnectionBuilder()
            .WithUrl(new Uri(server, "realtime"), options =>
            {
                options.AccessTokenProvider = () => Task.FromResult<string?>(token);
                options.Transports = HttpTransportType.WebSockets;
                options.SkipNegotiation = true;
            })
            .AddJsonProtocol(options => RealtimeJson.Configure(options.PayloadSerializerOptions))
            .Build();
        connection.On(nameof(IRealtimeClient.Events), events ?? (_ => { }));
        var link = new HubLink(connection, name, tally, time);
        connection.On<Control>(nameof(IRealtimeClient.Control), told =>
        {
            if (told.Type == Control.Draining && link._draining.TrySetResult(TimeSpan.FromMilliseconds(told.RetryAfterMs ?? 0)))
            {
                tally.TakeLeave(name, Control.Draining);
            }

            control?.Invoke(told);
        });
        try
        {
            await InTimeAsync(connection.StartAsync, OpenTime, time, cancellationToken);
            return link;
        }
        catch
        {
            await link.DisposeAsync();
            throw;
        }
    }

    public Task<PublishReply> PublishAsync(PublishRequest request, TimeSpan timeout, CancellationToken cancellationToken) =>
        InvokeAsync<PublishReply>("Publish", request, timeout, cancellationToken);

    public Task<SubscribeReply> SubscribeAsync(SubscribeRequest request, TimeSpan timeout, CancellationToken cancellationToken) =>
        InvokeAsync<SubscribeReply>("Subscribe", request, timeout, cancellationToken);

    public ValueTask DisposeAsync()
    {
        _isUnwanted = true;
        return _connection.DisposeAsync();
    }

    private async Task<T> InvokeAsync<T>(string method, object argument, TimeSpan timeout, CancellationToken cancellationToken)
    {
        // The message is written before this first waits, so calls leave in the order in which they were made.
        var reply = default(T)!;
        await InTimeAsync(async cancelled => reply = await _connection.InvokeAsync<T>(method, argument, cancelled), timeout, _time, cancellationToken);
        return reply;
    }

    private static async Task InTimeAsync(Func<CancellationToken, Task> act, TimeSpan limit, TimeProvider time, CancellationToken cancellationToken)
    {
        using var late = new CancellationTokenSource(limit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        try
        {
            await act(either.Token);
        }
        catch (HubException exception) when (WireError.CloseCodeOf(exception) is null)
        {
            throw WireError.Of(exception);
        }
        catch (HttpRequestException exception) when (exception.StatusCode is { } status && (int)status is >= 400 and < 500 and not 429)
        {
            throw new RealtimeException(ErrorCode.TokenInvalid, exception.Message, exception);
        }
        catch (Exception exception) when (
            // A farewell ends the calls under way too, and is no answer to them.
            exception is HubException or InvalidOperationException or IOException or WebSocketException or HttpRequestException or TimeoutException
            || (exception is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            throw new RealtimeException(ErrorCode.Disconnected, ErrorCode.Disconnected.Sentence, exception);
        }
    }
}
