using System.Text.Json;
using System.Threading.Channels;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Observability;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Connections;

namespace RealtimeAspire.Server.Pipeline.Signals;

/// <summary>
/// Tells signals as events on <c>system:security</c>, closes the connections of whom is blocked, and forgets what is over. An event that the log does
/// not take is not tried again: the signal is on record in the audit trail.
/// </summary>
internal sealed partial class SignalReporter(
    SignalWatch watch, SignalActions actions, ConnectionFactory connections, PublishPath publish, SignalInstruments instruments, TimeProvider time, ILogger<SignalReporter> logger)
    : BackgroundService
{
    public const string Event = "security:signal";

    /// <summary>Where a tenant's signals are told, and what whoever may manage has a say in them.</summary>
    public static readonly TopicName Topic = TopicName.Parse("system:security");

    private const int Waiting = 1_000;

    private static readonly TimeSpan SweepInterval = TimeSpan.FromSeconds(5);

    private readonly Channel<RaisedSignal> _raised = Channel.CreateBounded<RaisedSignal>(new BoundedChannelOptions(Waiting) { FullMode = BoundedChannelFullMode.Wait });
    private readonly Channel<SignalAction> _begun = Channel.CreateUnbounded<SignalAction>();
    private bool _hasFailed;

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        watch.Raised += Take;
        actions.Began += Take;
        return base.StartAsync(cancellationToken);
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        watch.Raised -= Take;
        actions.Began -= Take;
        await base.StopAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await Task.Yield();
        await using var sweep = time.CreateTimer(_ => actions.Sweep(), null, SweepInterval, SweepInterval);
        try
        {
            await Task.WhenAll(PublishAllAsync(stoppingToken), CloseAllAsync(stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The node stops.
        }
    }

    private void Take(RaisedSignal signal, SignalAction? begun)
    {
        if (!_raised.Writer.TryWrite(signal))
        {
            instruments.Lost(signal.Tenant);
        }
    }

    private void Take(SignalAction action)
    {
        if (action.Effect is SignalEffect.Block)
        {
            _begun.Writer.TryWrite(action);
        }
    }

    private async Task PublishAllAsync(CancellationToken stoppingToken)
    {
        while (true)
        {
            var (tenant, told) = await _raised.Reader.ReadAsync(stoppingToken);
            try
            {
                var request = new PublishRequest { Event = Event, Id = told.Id, Payload = JsonSerializer.SerializeToElement(told, SignalJson.Default.SecuritySignal) };
                await publish.PublishAsync(new Caller(tenant, UserId: ""), Topic, request);
                _hasFailed = false;
            }
            catch (RealtimeException exception)
            {
                instruments.Lost(tenant);
                if (!_hasFailed)
                {
                    LogNotTold(exception.Message);
                }

                _hasFailed = true;
            }
        }
    }

    private async Task CloseAllAsync(CancellationToken stoppingToken)
    {
        while (true)
        {
            var action = await _begun.Reader.ReadAsync(stoppingToken);
            foreach (var connection in connections.Connections)
            {
                if (IsOf(action.Subject, connection))
                {
                    connection.Close(ErrorCode.Blocked);
                }
            }
        }
    }

    private static bool IsOf(SignalSubject subject, Connection connection) => subject.Kind switch
    {
        SubjectKind.User => connection.Caller.Tenant == subject.Tenant && connection.Caller.UserId == subject.Id,
        SubjectKind.Fingerprint => connection.Origin?.OfFingerprint == subject || connection.Origin?.OfFormer == subject,
        SubjectKind.Range => connection.Origin?.OfRange == subject,
        _ => false,
    };

    [LoggerMessage(EventId = 1622, Level = LogLevel.Warning, Message = "Signals cannot be told as events on system:security at the moment; they are in the audit trail: {Reason}")]
    private partial void LogNotTold(string reason);
}
