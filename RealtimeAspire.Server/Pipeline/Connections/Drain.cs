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
internal sealed partial class Drain(ConnectionFactory connections, TimeProvider time, ILogger<Drain> logger) : IHostedLifecycleService, IHealthCheck, IDisposable
{
    // So long for each connection, so that they come at some hundreds a second.
    private static readonly TimeSpan SpreadPerConnection = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan LongestSpread = TimeSpan.FromSeconds(8);

    /// <summary>Clients that go by themselves are gone by then; the others are closed.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan CloseTime = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(50);

    private readonly CancellationTokenSource _draining = new();

    /// <summary>Cancelled when the node begins to leave.</summary>
    public CancellationToken Draining => _draining.Token;

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(_draining.IsCancellationRequested ? HealthCheckResult.Unhealthy("The node is shutting down.") : HealthCheckResult.Healthy());

    /// <summary>Refuses what would last, with the time after which another node answers.</summary>
    public static async Task RefuseAsync(HttpContext context)
    {
        context.Response.Headers.RetryAfter = "1";
        await Problems.From(ErrorCode.Draining).ExecuteAsync(context);
    }

    /// <summary>Before anything else of the host stops.</summary>
    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        await _draining.CancelAsync();
        var spread = TimeSpan.FromTicks(Math.Min(LongestSpread.Ticks, SpreadPerConnection.Ticks * connections.Connections.Count));
        if (spread > TimeSpan.Zero)
        {
            LogDraining(connections.Connections.Count, spread.TotalSeconds);
        }

        await Task.WhenAll(connections.Connections.Select(connection => MoveAsync(connection, spread * Random.Shared.NextDouble(), cancellationToken)));
        var until = time.GetUtcNow() + CloseTime;
        while (!connections.IsEmpty && time.GetUtcNow() < until && !cancellationToken.IsCancellationRequested)
        {
            await Task.Delay(LookInterval, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    public void Dispose() => _draining.Dispose();

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task MoveAsync(Connection connection, TimeSpan delay, CancellationToken cancellationToken)
    {
        connection.Send(new Control { Type = Control.Draining, Code = ErrorCode.Draining.Code, Reason = ErrorCode.Draining.Sentence, RetryAfterMs = (int)delay.TotalMilliseconds });
        await Task.Delay(delay + Grace, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        connection.Close(ErrorCode.Draining);
    }

    [LoggerMessage(EventId = 1021, Level = LogLevel.Information, Message = "The node leaves: {Count} connections move within {Seconds:0.0} s")]
    private partial void LogDraining(int count, double seconds);
}
