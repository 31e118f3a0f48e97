using Microsoft.Extensions.Hosting;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Pipeline.Connections;

/// <summary>
/// A node that dies cannot say how its connections are to come back. So it does in advance: each is told a time of its own to wait
/// should it break off without a word, up to one that grows with their number, so that the others are not run over.
/// </summary>
internal sealed class ReturnAdvice(ConnectionFactory connections, TimeProvider time) : BackgroundService
{
    // So long for each connection: they come at a hundred and some a second.
    private static readonly TimeSpan SpreadPerConnection = TimeSpan.FromMilliseconds(8);
    private static readonly TimeSpan LongestSpread = TimeSpan.FromSeconds(10);

    /// <summary>Below it clients spread enough by themselves.</summary>
    private static readonly TimeSpan LeastSpread = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(1);

    private const double Growth = 1.25;

    private long _spread;

    /// <summary>A connection is new.</summary>
    public void Tell(Connection connection)
    {
        if (TimeSpan.FromTicks(Volatile.Read(ref _spread)) is { Ticks: > 0 } spread)
        {
            Tell(connection, spread);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var look = new PeriodicTimer(LookInterval, time);
        try
        {
            while (await look.WaitForNextTickAsync(stoppingToken))
            {
                Look();
            }
        }
        catch (OperationCanceledException)
        {
            // The node stops.
        }
    }

    private void Look()
    {
        var spread = SpreadPerConnection * connections.Count;
        spread = spread < LeastSpread ? TimeSpan.Zero : spread > LongestSpread ? LongestSpread : spread;
        var told = TimeSpan.FromTicks(_spread);
        if (spread <= told * Growth && spread >= told / 2)
        {
            return;
        }

        Volatile.Write(ref _spread, spread.Ticks);
        foreach (var connection in connections.Connections)
        {
            Tell(connection, spread);
        }
    }

    // It spreads load; nothing secret depends on it.
#pragma warning disable CA5394
    private static void Tell(Connection connection, TimeSpan spread) =>
        connection.Send(new Control { Type = Control.Retry, RetryAfterMs = (int)(spread * Random.Shared.NextDouble()).TotalMilliseconds });
#pragma warning restore CA5394
}
