using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace RealtimeAspire.Server.Pipeline.Backplane;

/// <summary>
/// A connection to Redis that is known to answer. It is asked every second, and replaced when it is silent though it counts as
/// connected, for that its client never notices. One that knows that it is disconnected restores itself and is left to it.
/// </summary>
internal sealed partial class RedisLink(RedisConnect connect, IRedisProbe probe, TimeProvider time, ILogger<RedisLink> logger)
{
    private static readonly TimeSpan SendTime = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    /// <summary>For one question. Dead by then: three of them, asked a second after the last answer.</summary>
    private static readonly TimeSpan AnswerTime = TimeSpan.FromMilliseconds(600);

    private const int QuestionsToSilence = 3;

    /// <summary>It is back within a second of Redis' return; this is for one that has lost its way.</summary>
    private const int QuestionsToRestore = 8;

    private static readonly TimeSpan ConnectTime = TimeSpan.FromSeconds(10);

    // Its client has told of a connection lost or restored.
    private readonly Channel<bool> _disturbances = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    private volatile IConnectionMultiplexer? _multiplexer;
    private volatile bool _isConnected;

    // Only the loop touches it.
    private bool _isReported;

    /// <summary>Raised when Redis answers: for the first time, after it did not, and after anything that may have lost messages.</summary>
    public event Action? Restored;

    /// <summary>Whether Redis has answered lately, on the connection of the moment.</summary>
    public bool IsConnected => _isConnected;

    /// <summary>The connection of the moment, another one after a fault that only a new one cures; null while there is none.</summary>
    public IConnectionMultiplexer? Multiplexer => _multiplexer;

    /// <summary>Says something on a channel.</summary>
    /// <param name="channel">Its name, no pattern.</param>
    /// <param name="message">What.</param>
    /// <returns>How many have heard it.</returns>
    /// <exception cref="TimeoutException">Redis has not answered within two seconds, or is known not to.</exception>
    public async Task<long> PublishAsync(string channel, byte[] message)
    {
        var multiplexer = (IsConnected ? Multiplexer : null) ?? throw new TimeoutException("Redis does not answer.");
        var sending = multiplexer.GetDatabase().PublishAsync(new RedisChannel(channel, RedisChannel.PatternMode.Literal), message);
        await sending.WithinAsync(SendTime, time);
        return await sending;
    }

    /// <summary>Holds the connection until cancelled. Starts without Redis too, and fails with nothing that its client throws.</summary>
    public async Task RunAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await HoldAsync(stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            // Its client throws more than its own exceptions when a connection breaks.
#pragma warning disable CA1031
            catch (Exception exception)
#pragma warning restore CA1031
            {
                Failed(exception);
                await Task.Delay(Interval, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task HoldAsync(CancellationToken stoppingToken)
    {
        var multiplexer = await ConnectAsync(stoppingToken);
        try
        {
            multiplexer.ConnectionFailed += (_, _) => _disturbances.Writer.TryWrite(true);
            multiplexer.ConnectionRestored += (_, _) => _disturbances.Writer.TryWrite(true);
            _multiplexer = multiplexer;
            await AskUntilSilentAsync(multiplexer, stoppingToken);
        }
        finally
        {
            // Not one moment longer than it answers: what is called on it now may never end.
            (_multiplexer, _isConnected) = (null, false);
            Close(multiplexer);
        }
    }

    private async Task<IConnectionMultiplexer> ConnectAsync(CancellationToken stoppingToken)
    {
        // Some of it is synchronous.
        var connecting = Background.Run(() => connect());
        try
        {
            return await connecting.WaitAsync(ConnectTime, time, stoppingToken);
        }
        catch
        {
            _ = connecting.ContinueWith(static late => Abandon(late), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
            throw;
        }
    }

    /// <summary>Returns when the connection has to be replaced.</summary>
    private async Task AskUntilSilentAsync(IConnectionMultiplexer multiplexer, CancellationToken stoppingToken)
    {
        var hasAnswered = false;
        var isDisturbed = false;
        var unanswered = 0;
        while (true)
        {
            // Until it has answered: the question may have been under way when the connection broke.
            isDisturbed |= _disturbances.Reader.TryRead(out _);
            var asked = time.GetTimestamp();
            if (await AskAsync(multiplexer) is not { } failure)
            {
                Succeeded(isDisturbed);
                (hasAnswered, isDisturbed, unanswered) = (true, false, 0);
                await PauseAsync(Interval, stoppingToken);
                continue;
            }

            // One that is still new may have many channels to attach.
            var isConnected = multiplexer.IsConnected;
            var limit = isConnected == hasAnswered ? QuestionsToSilence : QuestionsToRestore;
            unanswered++;
            if (!isConnected || unanswered >= limit)
            {
                Failed(failure);
            }

            if (unanswered >= limit)
            {
                LogReplaced(probe.Purpose);
                return;
            }

            await PauseAsync(AnswerTime - time.GetElapsedTime(asked), stoppingToken);
        }
    }

    private static void Abandon(Task<IConnectionMultiplexer> connecting)
    {
        if (connecting.Exception is null)
        {
            Close(connecting.Result);
        }
    }

#pragma warning disable CA1031
    /// <summary>Null: it has answered.</summary>
    private async Task<Exception?> AskAsync(IConnectionMultiplexer multiplexer)
    {
        try
        {
            await probe.AskAsync(multiplexer).WithinAsync(AnswerTime, time);
            return null;
        }
        catch (Exception exception)
        {
            return exception;
        }
    }

    private static void Close(IConnectionMultiplexer multiplexer)
    {
        try
        {
            // Releases what waits in its queue, too.
            multiplexer.Close(allowCommandsToComplete: false);
            multiplexer.Dispose();
        }
        catch (Exception)
        {
            // It is broken: that is why it is closed.
        }
    }
#pragma warning restore CA1031

    /// <summary>Waits until it is time to ask again, or there is news of the connection.</summary>
    private async Task PauseAsync(TimeSpan pause, CancellationToken stoppingToken)
    {
        if (pause <= TimeSpan.Zero)
        {
            return;
        }

        using var over = new CancellationTokenSource(pause, time);
        using var stopping = stoppingToken.UnsafeRegister(static over => ((CancellationTokenSource)over!).Cancel(), over);
        try
        {
            await _disturbances.Reader.WaitToReadAsync(over.Token);
        }
        catch (OperationCanceledException)
        {
            stoppingToken.ThrowIfCancellationRequested();
        }
    }

    private void Succeeded(bool isDisturbed)
    {
        if (_isReported)
        {
            _isReported = false;
            LogAnswersAgain(probe.Purpose);
        }

        if (!_isConnected || isDisturbed)
        {
            _isConnected = true;
            Restored?.Invoke();
        }
    }

    private void Failed(Exception exception)
    {
        _isConnected = false;
        if (!_isReported)
        {
            _isReported = true;
            LogSilent(exception, probe.Purpose);
        }
    }

    [LoggerMessage(EventId = 1301, Level = LogLevel.Warning, Message = "Redis does not answer on the link for {Purpose}; other nodes find events in the log until it does")]
    private partial void LogSilent(Exception exception, string purpose);

    [LoggerMessage(EventId = 1302, Level = LogLevel.Information, Message = "Redis answers again on the link for {Purpose}")]
    private partial void LogAnswersAgain(string purpose);

    [LoggerMessage(EventId = 1304, Level = LogLevel.Debug, Message = "The link for {Purpose} makes a new connection to Redis")]
    private partial void LogReplaced(string purpose);
}

internal static class RedisCallExtensions
{
    /// <summary>
    /// Waits for a call only so long; its client may do so for ever. The call is then of unknown outcome: it may yet be carried
    /// out, and its end goes unnoticed.
    /// </summary>
    /// <exception cref="TimeoutException">Redis has not answered in time.</exception>
    public static async Task WithinAsync(this Task call, TimeSpan limit, TimeProvider time)
    {
        try
        {
            await call.WaitAsync(limit, time);
        }
        catch (TimeoutException)
        {
            _ = call.ContinueWith(static late => late.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            throw;
        }
    }
}
