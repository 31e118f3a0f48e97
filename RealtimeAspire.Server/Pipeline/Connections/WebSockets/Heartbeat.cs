using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace RealtimeAspire.Server.Pipeline.Connections.WebSockets;

/// <summary>A timing wheel: every connection has its beat once a turn, and each second only those of one spoke.</summary>
internal sealed partial class Heartbeat(TimeProvider time, ILogger<Heartbeat> logger) : BackgroundService
{
    private const int Spokes = 5;

    private static readonly TimeSpan Step = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<SocketConnection, bool>[] _spokes =
        [.. Enumerable.Range(0, Spokes).Select(_ => new ConcurrentDictionary<SocketConnection, bool>())];

    public void Add(SocketConnection connection) => SpokeOf(connection)[connection] = true;

    public void Remove(SocketConnection connection) => SpokeOf(connection).TryRemove(connection, out _);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Step, time);
        for (var i = 0; await timer.WaitForNextTickAsync(stoppingToken); i++)
        {
            foreach (var (connection, _) in _spokes[i % Spokes])
            {
                Beat(connection);
            }
        }
    }

    private void Beat(SocketConnection connection)
    {
        try
        {
            connection.Beat();
        }
        // Whatever one connection does, the others have their beats.
#pragma warning disable CA1031
        catch (Exception exception)
#pragma warning restore CA1031
        {
            LogFailed(exception);
        }
    }

    private ConcurrentDictionary<SocketConnection, bool> SpokeOf(SocketConnection connection) => _spokes[(uint)RuntimeHelpers.GetHashCode(connection) % Spokes];

    [LoggerMessage(EventId = 1031, Level = LogLevel.Error, Message = "A connection's heartbeat failed")]
    private partial void LogFailed(Exception exception);
}
