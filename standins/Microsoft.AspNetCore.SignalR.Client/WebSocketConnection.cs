using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.WebSockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;

namespace Microsoft.AspNetCore.Http.Connections.Client.Internal;

/// <summary>An open WebSocket as a pair of pipes. Each flush of the hub connection becomes one message.</summary>
internal sealed class WebSocketConnection : ConnectionContext, IConnectionInherentKeepAliveFeature
{
    // Long enough for a living server to answer a close frame; a lost connection costs this much on top of its detection.
    private static readonly TimeSpan LongestClose = TimeSpan.FromSeconds(1);

    private readonly ClientWebSocket _socket;
    private readonly WebSocketMessageType _messageType;
    private readonly TimeSpan _closeTimeout;
    private readonly TimeProvider _time;
    private readonly Pipe _received = new(Bounded());
    private readonly Pipe _toSend = new(Bounded());
    private readonly Task _receiving;
    private readonly Task _sending;

    public WebSocketConnection(ClientWebSocket socket, WebSocketMessageType messageType, TimeSpan closeTimeout, TimeProvider time, EndPoint endPoint)
    {
        _socket = socket;
        _messageType = messageType;
        _closeTimeout = closeTimeout < LongestClose ? closeTimeout : LongestClose;
        _time = time;
        RemoteEndPoint = endPoint;
        Transport = new DuplexPipe(_received.Reader, _toSend.Writer);
        Features.Set<IConnectionInherentKeepAliveFeature>(this);
        _receiving = ReceiveAsync();
        _sending = SendAsync();
    }

    public override IDuplexPipe Transport { get; set; }

    public override IFeatureCollection Features { get; } = new FeatureCollection();

    public override IDictionary<object, object?> Items { get; set; } = new ConnectionItems();

    /// <summary>Null, as without negotiation the server tells no id.</summary>
    public override string ConnectionId { get; set; } = null!;

    /// <summary>The hub connection has to send pings of its own.</summary>
    public bool HasInherentKeepAlive => false;

    /// <summary>
    /// Says goodbye and leaves. The hub connection disposes this before it reports a loss, and then the server
    /// answers nothing any more: whatever is not done within the time-out is cut off.
    /// </summary>
    public override async ValueTask DisposeAsync()
    {
        await Transport.Output.CompleteAsync();
        await Transport.Input.CompleteAsync();
        try
        {
            await Task.WhenAll(_sending, _receiving).WaitAsync(_closeTimeout, _time);
        }
        catch (TimeoutException)
        {
            _socket.Abort();
            await Task.WhenAll(_sending, _receiving);
        }

        _socket.Dispose();
        await base.DisposeAsync();
    }

    private async Task ReceiveAsync()
    {
        Exception? failure = null;
        var reading = true;
        try
        {
            while (true)
            {
                var result = await _socket.ReceiveAsync(_received.Writer.GetMemory(4096), CancellationToken.None);
                if (result.MessageType == WebSocketMessageType.Close)
                {
                    if (_socket.CloseStatus != WebSocketCloseStatus.NormalClosure)
                        failure = new InvalidOperationException($"The server closed the WebSocket: {_socket.CloseStatus} {_socket.CloseStatusDescription}");
                    break;
                }

                // After the hub connection has left, on to the close frame.
                if (!reading)
                    continue;
                _received.Writer.Advance(result.Count);
                reading = !(await _received.Writer.FlushAsync()).IsCompleted;
            }
        }
        catch (Exception exception)
        {
            failure = exception;
        }

        await _received.Writer.CompleteAsync(failure);
        // The sender has nobody left to send to.
        _toSend.Reader.CancelPendingRead();
    }

    private async Task SendAsync()
    {
        Exception? failure = null;
        try
        {
            while (await _toSend.Reader.ReadAsync() is { IsCanceled: false } read)
            {
                if (!read.Buffer.IsEmpty)
                    await SendMessageAsync(read.Buffer);
                _toSend.Reader.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted)
                    break;
            }

            if (_socket.State is WebSocketState.Open or WebSocketState.CloseReceived)
                await _socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, "", CancellationToken.None);
        }
        catch (Exception exception)
        {
            failure = exception;
            _socket.Abort();
        }

        await _toSend.Reader.CompleteAsync(failure);
    }

    private async Task SendMessageAsync(ReadOnlySequence<byte> message)
    {
        var rest = message;
        while (!rest.IsSingleSegment)
        {
            await _socket.SendAsync(rest.First, _messageType, endOfMessage: false, CancellationToken.None);
            rest = rest.Slice(rest.First.Length);
        }

        await _socket.SendAsync(rest.First, _messageType, endOfMessage: true, CancellationToken.None);
    }

    /// <summary>A writer waits when the other side is a megabyte behind.</summary>
    private static PipeOptions Bounded() =>
        new(pauseWriterThreshold: 1024 * 1024, resumeWriterThreshold: 512 * 1024, useSynchronizationContext: false);

    private sealed record DuplexPipe(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}
