using System.Threading.Channels;
using Npgsql;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Storage;

/// <summary>Does something again and again: at once while there is more, else when it is woken or an interval has passed. What fails is told once, and tried again.</summary>
internal sealed class Poll(TimeSpan interval, TimeProvider time)
{
    private readonly Channel<bool> _woken = System.Threading.Channels.Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    public void Wake() => _woken.Writer.TryWrite(true);

    /// <param name="act">Answers whether there may be more.</param>
    /// <param name="failed">Told why it has failed, the first time of several in a row.</param>
    /// <param name="stoppingToken">Ends it.</param>
    public async Task RunAsync(Func<CancellationToken, Task<bool>> act, Action<string> failed, CancellationToken stoppingToken)
    {
        await Task.Yield();
        var hasFailed = false;
        while (!stoppingToken.IsCancellationRequested)
        {
            var isMore = false;
            try
            {
                isMore = await act(stoppingToken);
                hasFailed = false;
            }
            catch (RealtimeException exception)
            {
                if (!hasFailed && !IsBeforeMigrations(exception.InnerException))
                {
                    failed(exception.InnerException?.Message ?? exception.Message);
                }

                hasFailed |= !IsBeforeMigrations(exception.InnerException);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            // A row that nobody has thought of must not end the node, and the next one that takes it.
#pragma warning disable CA1031
            catch (Exception exception)
#pragma warning restore CA1031
            {
                if (!hasFailed)
                {
                    failed(exception.ToString());
                }

                hasFailed = true;
            }

            if (!isMore)
            {
                await WaitAsync(stoppingToken);
            }
        }
    }

    /// <summary>A node that has just started applies them first.</summary>
    private static bool IsBeforeMigrations(Exception? exception) => exception is PostgresException
    {
        SqlState: PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.UndefinedFunction or PostgresErrorCodes.InvalidSchemaName,
    };

    /// <summary>By chance a little earlier or later than the other nodes.</summary>
    private async Task WaitAsync(CancellationToken stoppingToken)
    {
        using var timer = time.CreateTimer(_ => Wake(), null, interval * (0.75 + (Random.Shared.NextDouble() / 2)), Timeout.InfiniteTimeSpan);
        try
        {
            await _woken.Reader.ReadAsync(stoppingToken);
        }
        catch (OperationCanceledException)
        {
            // The node stops.
        }
    }
}
