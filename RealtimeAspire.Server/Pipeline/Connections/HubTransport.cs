using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Protocol;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Connections.WebSockets;
using RealtimeAspire.Server.Pipeline.Feeds;

namespace RealtimeAspire.Server.Pipeline.Connections;

/// <summary>A connection of the SignalR hub.</summary>
internal sealed class HubTransport(HubConnectionContext hub, TimeProvider time) : IConnectionTransport
{
    private static readonly TimeSpan FarewellTime = TimeSpan.FromSeconds(1);

    // Null where ASP.NET Core's own WebSockets are under the hub.
    private readonly SocketConnection? _socket = hub.Features.Get<SocketConnection>();

    private readonly bool _isPacked = hub.Protocol.Name == HubProtocol.MessagePackName;

    public string Name => _socket is null ? "standard" : _socket.Writer.IsDirect ? "direct" : "pipe";

    public bool UsesNumbers => _isPacked && _socket is { WantsNumbers: true };

    /// <summary>Past the hub's protocol where that can be: the same bytes for all.</summary>
    public ValueTask SendEventsAsync(EventBatch events, CancellationToken cancellationToken)
    {
        if (_socket is null)
        {
            return hub.WriteAsync(events.Message, cancellationToken);
        }

        var writing = _socket.Writer.WriteAsync(!_isPacked ? events.JsonFrame : UsesNumbers ? events.NumberedFrame : events.PackedFrame);
        return writing.IsCompletedSuccessfully ? default : new ValueTask(writing.AsTask().WaitAsync(cancellationToken));
    }

    public ValueTask SendControlAsync(Control control, CancellationToken cancellationToken) =>
        hub.WriteAsync(new InvocationMessage(nameof(IRealtimeClient.Control), [control]), cancellationToken);

    public ValueTask SendCallAsync(IncomingCall call, CancellationToken cancellationToken) =>
        hub.WriteAsync(new InvocationMessage(nameof(IRealtimeClient.Request), [call]), cancellationToken);

    public async Task CloseAsync(ErrorCode reason)
    {
        try
        {
            var farewell = new CloseMessage($"{reason.Code}: {reason.Sentence}", allowReconnect: reason.Retryable);
            await hub.WriteAsync(farewell).AsTask().WaitAsync(FarewellTime, time);
        }
        catch (TimeoutException)
        {
            // It reads too slowly even for that.
            hub.Features.Get<IConnectionLifetimeFeature>()?.Abort();
        }
        finally
        {
            End(mayComeBack: reason.Retryable);
        }
    }

    /// <summary>SignalR's own farewell follows ours. A client that reads both in one go does what the last one says.</summary>
    private void End(bool mayComeBack)
    {
        if (mayComeBack)
        {
            hub.Features.GetRequiredFeature<IConnectionLifetimeNotificationFeature>().RequestClose();
        }
        else
        {
            hub.Abort();
        }
    }
}
