using System.Buffers.Text;
using System.Data.Common;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Threading.Channels;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using RealtimeAspire.Server.Pipeline.Backplane;
using RealtimeAspire.Server.Pipeline.TopicLogs;
using StackExchange.Redis;

namespace RealtimeAspire.Server.Pipeline.Signals;

/// <summary>What one node tells the others. What is missing there is nothing to tell of.</summary>
/// <param name="Node">Which one tells.</param>
/// <param name="Signal">What it has raised.</param>
/// <param name="Action">What is done, or has been for a while.</param>
/// <param name="Lifted">What is not done any more.</param>
/// <param name="Asks">Whether it wants to know what the others know: it has just come, or may have missed something.</param>
internal sealed record NodeNews(string Node, RaisedSignal? Signal = null, SignalAction? Action = null, LiftedAction? Lifted = null, bool Asks = false);

/// <summary>
/// Tells the other nodes what is done about whom, by Redis and by a notification of Postgres: whichever of them is there. Nothing waits for
/// either; a node that may have missed something asks. Each message has a MAC: whoever may publish in Redis or notify in Postgres could else
/// shut people out.
/// </summary>
internal sealed partial class SignalNews(
    SignalActions actions,
    SignalHistory history,
    SignalWatch watch,
    SignalNode node,
    SignalSecret secret,
    TimeProvider time,
    ILogger<SignalNews> logger,
    RedisChannels? channels = null,
    RedisLink? link = null,
    PostgresListener? listener = null,
    NpgsqlDataSource? dataSource = null) : BackgroundService
{
    private const string Channel = "realtime:signals";
    private const int CommandTimeoutSeconds = 2;
    private const int Waiting = 1_000;

    // Notifications of Postgres have less than 8,000 bytes.
    private const int MaxBytes = 7_900;

    private static readonly TimeSpan SendTime = TimeSpan.FromSeconds(2);

    private readonly Lazy<byte[]> _key = new(() => secret.Derive("news"));
    private readonly Channel<NodeNews> _told = Bounded<NodeNews>();
    private readonly Channel<string> _heard = Bounded<string>();

    /// <summary>An operator has ended it.</summary>
    public void Tell(LiftedAction lifted) => Tell(new NodeNews(node.Name, Lifted: lifted));

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        watch.Raised += Tell;
        if (listener is not null)
        {
            listener.SignalsTold += Hear;
            listener.Restored += Ask;
        }

        if (channels is not null)
        {
            channels.Restored += Ask;
        }

        return base.StartAsync(cancellationToken);
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        watch.Raised -= Tell;
        if (listener is not null)
        {
            listener.SignalsTold -= Hear;
            listener.Restored -= Ask;
        }

        if (channels is not null)
        {
            channels.Restored -= Ask;
        }

        await base.StopAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await Task.Yield();
        var lease = channels is null ? null : await channels.SubscribeAsync(Channel, message => Hear(Encoding.UTF8.GetString(message)));
        Ask();
        try
        {
            await Task.WhenAll(SendAllAsync(stoppingToken), HearAllAsync(stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The node stops.
        }
        finally
        {
            // Where everything stops at once, Redis may be gone already: its word is not waited for.
            _ = Background.Run(async () => await (lease?.DisposeAsync() ?? default));
        }
    }

    private static Channel<T> Bounded<T>() => System.Threading.Channels.Channel.CreateBounded<T>(new BoundedChannelOptions(Waiting) { FullMode = BoundedChannelFullMode.DropWrite });

    private void Tell(RaisedSignal signal, SignalAction? begun) => Tell(new NodeNews(node.Name, signal, begun));

    private void Tell(NodeNews news) => _told.Writer.TryWrite(news);

    private void Ask() => Tell(new NodeNews(node.Name, Asks: true));

    /// <summary>Untrusted: from whoever may publish there.</summary>
    private void Hear(string message) => _heard.Writer.TryWrite(message);

    private async Task SendAllAsync(CancellationToken stoppingToken)
    {
        while (true)
        {
            var message = Seal(await _told.Reader.ReadAsync(stoppingToken));
            if (secret.IsShared && Encoding.UTF8.GetByteCount(message) <= MaxBytes)
            {
                await Task.WhenAll(SendByRedisAsync(message), SendByPostgresAsync(message, stoppingToken));
            }
        }
    }

    private async Task HearAllAsync(CancellationToken stoppingToken)
    {
        while (true)
        {
            if (Open(await _heard.Reader.ReadAsync(stoppingToken)) is { } news && news.Node != node.Name)
            {
                Take(news);
            }
        }
    }

    private void Take(NodeNews news)
    {
        if (news.Lifted is { } lifted)
        {
            actions.Lift(lifted);
        }

        if (news.Action is { } action)
        {
            actions.Begin(action);
        }

        if (news.Signal is { } signal)
        {
            history.Add(signal);
        }

        if (news.Asks)
        {
            foreach (var known in actions.All)
            {
                Tell(new NodeNews(node.Name, Action: known));
            }

            foreach (var known in actions.Lifted)
            {
                Tell(known);
            }
        }
    }

    private string Seal(NodeNews news)
    {
        var text = JsonSerializer.Serialize(news, SignalJson.Default.NodeNews);
        return $"{MacOf(text)}{text}";
    }

    private NodeNews? Open(string message)
    {
        var length = Base64Url.GetEncodedLength(HMACSHA256.HashSizeInBytes);
        if (message.Length <= length || !CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(message[..length]), Encoding.UTF8.GetBytes(MacOf(message[length..]))))
        {
            return null;
        }

        try
        {
            return JsonSerializer.Deserialize(message[length..], SignalJson.Default.NodeNews);
        }
        catch (JsonException)
        {
            // Of another release.
            return null;
        }
    }

    private string MacOf(string text) => Base64Url.EncodeToString(HMACSHA256.HashData(_key.Value, Encoding.UTF8.GetBytes(text)));

    // Its client throws more than its own exceptions when a connection breaks.
#pragma warning disable CA1031
    private async Task SendByRedisAsync(string message)
    {
        if (link is not { IsConnected: true, Multiplexer: { } multiplexer })
        {
            return;
        }

        try
        {
            await multiplexer.GetDatabase().PublishAsync(new RedisChannel(Channel, RedisChannel.PatternMode.Literal), message).WithinAsync(SendTime, time);
        }
        catch (Exception exception)
        {
            LogNotSent(exception.Message);
        }
    }
#pragma warning restore CA1031

    private async Task SendByPostgresAsync(string message, CancellationToken stoppingToken)
    {
        if (dataSource is null || listener is not { IsListening: true })
        {
            return;
        }

        try
        {
            await using var command = dataSource.CreateCommand($"select pg_notify('{PostgresListener.SignalsChannel}', $1)");
            command.CommandTimeout = CommandTimeoutSeconds;
            command.Parameters.Add(new NpgsqlParameter { Value = message });
            await command.ExecuteNonQueryAsync(stoppingToken);
        }
        catch (DbException exception)
        {
            LogNotSent(exception.Message);
        }
    }

    [LoggerMessage(EventId = 1621, Level = LogLevel.Debug, Message = "Other nodes may not have been told of a signal: {Reason}")]
    private partial void LogNotSent(string reason);
}
