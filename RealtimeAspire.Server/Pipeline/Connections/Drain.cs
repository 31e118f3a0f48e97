using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Http;

namespace RealtimeAspire.Server.Pipeline.Connections;

/// <summary>
/// How a node leaves: it says that it is not ready, takes no new connections, and asks those that it has to move, each after a
/// while of its own, so that they do not all arrive elsewhere at once. Requests that were accepted are finished by the host.
/// </summary>
internal sealed partial class Drain(ConnectionFactory connections, IHostApplicationLifetime lifetime, TimeProvider time, ILogger<Drain> logger) : IHostedLifecycleService, IHealthCheck, IDisposable
{
    // So long for each connection, so that they come at some hundreds a second.
    private static readonly TimeSpan SpreadPerConnection = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan LongestSpread = TimeSpan.FromSeconds(8);

    /// <summary>Clients that go by themselves are gone by then; the others are closed.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan CloseTime = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(50);

    private readonly CancellationTokenSource _draining = new();
    private readonly Lock _lock = new();
    private Task? _moved;

    /// <summary>Cancelled when the node begins to leave.</summary>
    public CancellationToken Draining => _draining.Token;

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(_draining.IsCancellationRequested ? HealthCheckResult.Unhealthy("The node is shutting down.") : HealthCheckResult.Healthy());

    /// <summary>Refuses what would last, with the time after which another node answers.</summary>
    public static Task RefuseAsync(HttpContext context) => Problems.From(ErrorCode.Draining).ExecuteAsync(context);

    /// <summary>Before anything else of the host stops.</summary>
    public Task StoppingAsync(CancellationToken cancellationToken) => MoveAllAsync();

    /// <summary>
    /// SignalR drops its connections as soon as the application is told to stop, before any service is. What was registered
    /// last is called first, and this is after the hub was mapped.
    /// </summary>
    public Task StartedAsync(CancellationToken cancellationToken)
    {
        lifetime.ApplicationStopping.Register(() => MoveAllAsync().GetAwaiter().GetResult());
        return Task.CompletedTask;
    }

    public void Dispose() => _draining.Dispose();

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private Task MoveAllAsync()
    {
        lock (_lock)
        {
            return _moved ??= Background.Run(MoveAllOnceAsync);
        }
    }

    private async Task MoveAllOnceAsync()
    {
        await _draining.CancelAsync();
        var open = connections.Connections;
        var spread = TimeSpan.FromTicks(Math.Min(LongestSpread.Ticks, SpreadPerConnection.Ticks * open.Count));
        if (open.Count > 0)
        {
            LogDraining(open.Count, spread.TotalSeconds);
        }

        var started = time.GetTimestamp();
        var moving = new Queue<(Connection Connection, TimeSpan Due)>(open.Select(connection => (connection, Ask(connection, spread))).OrderBy(static move => move.Item2));
        // Who has gone by himself is not waited for.
        while (moving.Count > 0 && !connections.IsEmpty)
        {
            await Task.Delay(LookInterval, time);
            while (moving.TryPeek(out var move) && time.GetElapsedTime(started) >= move.Due)
            {
                moving.Dequeue().Connection.Close(ErrorCode.Draining);
            }
        }

        var until = time.GetUtcNow() + CloseTime;
        while (!connections.IsEmpty && time.GetUtcNow() < until)
        {
            await Task.Delay(LookInterval, time);
        }
    }

    /// <summary>Asks a connection to move, and says when it is closed if it has not.</summary>
    private static TimeSpan Ask(Connection connection, TimeSpan spread)
    {
        var delay = spread * Random.Shared.NextDouble();
        connection.Send(new Control { Type = Control.Draining, Code = ErrorCode.Draining.Code, Reason = ErrorCode.Draining.Sentence, RetryAfterMs = (int)delay.TotalMilliseconds });
        return delay + Grace;
    }

    [LoggerMessage(EventId = 1021, Level = LogLevel.Information, Message = "The node leaves: {Count} connections move within {Seconds:0.0} s")]
    private partial void LogDraining(int count, double seconds);
}
