using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Security.Claims;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Connections.Features;
using Microsoft.AspNetCore.Http.Features;

namespace RealtimeAspire.Server.Pipeline.Connections.WebSockets;

/// <summary>A WebSocket as a connection of ASP.NET Core: what SignalR's hub reads and writes becomes frames here.</summary>
internal sealed class SocketConnection
    : ConnectionContext, IDuplexPipe, IConnectionUserFeature, IConnectionLifetimeFeature, IConnectionLifetimeNotificationFeature, IConnectionHeartbeatFeature,
      ITransferFormatFeature, IHttpContextFeature
{
    private const int IdBytes = 16;

    // Nothing is held while nothing comes.
    private static readonly StreamPipeReaderOptions ReceiveOptions = new(useZeroByteReads: true);

    // What a client may send ahead of what the hub has looked at.
    private static readonly PipeOptions InputOptions = new(
        pauseWriterThreshold: 64 * 1024, resumeWriterThreshold: 32 * 1024, minimumSegmentSize: 512,
        readerScheduler: PipeScheduler.Inline, writerScheduler: PipeScheduler.Inline, useSynchronizationContext: false);

    /// <summary>For the other side to close too.</summary>
    private static readonly TimeSpan CloseTime = TimeSpan.FromSeconds(2);

    /// <summary>For the hub to do what it was told before its client closed.</summary>
    private static readonly TimeSpan EndTime = TimeSpan.FromSeconds(5);

    /// <summary>For a client to take one frame.</summary>
    private static readonly TimeSpan FrameTime = TimeSpan.FromSeconds(30);

    private readonly PipeReader _received;
    private readonly Action _abort;
    private readonly TimeProvider _time;
    private readonly FrameReader _frames;
    private readonly Pipe _input = new(InputOptions);
    private readonly HubWriter _output;
    private readonly CancellationTokenSource _closed = new();
    private readonly CancellationTokenSource _closeRequested = new();
    private (Action<object> Action, object State)[] _heartbeats = [];
    private byte[]? _pong;
    private CloseCode? _close;
    private bool _isViolated;
    private volatile bool _isLeaving;
    private volatile bool _isGone;

    /// <summary>A connection that lasts as long as the request that was upgraded.</summary>
    /// <param name="context">The request.</param>
    /// <param name="stream">What the upgrade gave.</param>
    /// <param name="socket">Where nothing sits between the connection and its socket.</param>
    /// <param name="maxMessageBytes">What a message of a client may have.</param>
    /// <param name="time">Measures.</param>
    public SocketConnection(HttpContext context, Stream stream, Socket? socket, long maxMessageBytes, TimeProvider time)
        : this(context.User, PipeReader.Create(stream, ReceiveOptions), new SocketWriter(socket, stream, time), context.Abort, maxMessageBytes, time)
    {
        HttpContext = context;
        Features.Set<IHttpContextFeature>(this);
    }

    /// <summary>A connection that its request has given away, see <see cref="Handover"/>.</summary>
    /// <param name="user">Who it is.</param>
    /// <param name="connection">The connection.</param>
    /// <param name="socket">Where frames go, if not to the connection's pipe.</param>
    /// <param name="maxMessageBytes">What a message of a client may have.</param>
    /// <param name="time">Measures.</param>
    public SocketConnection(ClaimsPrincipal user, ConnectionContext connection, Socket? socket, long maxMessageBytes, TimeProvider time)
        : this(
            user,
            connection.Transport.Input,
            new SocketWriter(socket, connection.Transport.Output.AsStream(), time),
            connection.Abort,
            maxMessageBytes,
            time)
    {
    }

    private SocketConnection(ClaimsPrincipal user, PipeReader received, SocketWriter writer, Action abort, long maxMessageBytes, TimeProvider time)
    {
        (User, _received, Writer, _abort, _time, _frames) = (user, received, writer, abort, time, new FrameReader(maxMessageBytes));
        (ConnectionId, ConnectionClosed, ConnectionClosedRequested) = (Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(IdBytes)), _closed.Token, _closeRequested.Token);
        _output = new HubWriter(writer, this);
        Features.Set<IConnectionUserFeature>(this);
        Features.Set<IConnectionLifetimeFeature>(this);
        Features.Set<IConnectionLifetimeNotificationFeature>(this);
        Features.Set<IConnectionHeartbeatFeature>(this);
        Features.Set<ITransferFormatFeature>(this);
        Features.Set(this);
    }

    public override string ConnectionId { get; set; }

    public override IFeatureCollection Features { get; } = new FeatureCollection();

    public override IDictionary<object, object?> Items { get => field ??= new Dictionary<object, object?>(); set; }

    public override IDuplexPipe Transport { get => this; set => throw new NotSupportedException(); }

    public PipeReader Input => _input.Reader;

    public PipeWriter Output => _output;

    public SocketWriter Writer { get; }

    /// <summary>Whether the client has asked in its address for numbers instead of the topics' names.</summary>
    public bool WantsNumbers { get; init; }

    public ClaimsPrincipal? User { get; set; }

    public HttpContext? HttpContext { get; set; }

    public CancellationToken ConnectionClosedRequested { get; set; }

    public TransferFormat SupportedFormats => TransferFormat.Text | TransferFormat.Binary;

    public TransferFormat ActiveFormat { get; set; } = TransferFormat.Text;

    public void OnHeartbeat(Action<object> action, object state) => _heartbeats = [.. _heartbeats, (action, state)];

    /// <summary>To be called every few seconds.</summary>
    public void Beat()
    {
        if (Writer.Delay > FrameTime)
        {
            Abort(new ConnectionAbortedException("The client does not read."));
            return;
        }

        foreach (var (action, state) in _heartbeats)
        {
            action(state);
        }
    }

    /// <summary>Asks the hub to end the connection, as one that may come back.</summary>
    public void RequestClose() => _closeRequested.Cancel();

    public override void Abort(ConnectionAbortedException abortReason)
    {
        _abort();
        _closed.Cancel();
    }

    /// <summary>Reads until the client has closed, is gone, or has broken the protocol.</summary>
    public async Task ReceiveAsync()
    {
        Exception? failure = null;
        try
        {
            for (var ended = false; !ended;)
            {
                var read = await _received.ReadAsync();
                Take(read);
                if (Interlocked.Exchange(ref _pong, null) is { } pong)
                {
                    await Writer.WriteAsync(pong);
                }

                if (!_isLeaving)
                {
                    await GiveAsync();
                }

                ended = _close is not null || read.IsCompleted;
            }
        }
        catch (FrameException violation)
        {
            (_close, _isViolated) = (violation.Code, true);
        }
        catch (Exception exception) when (IsEnd(exception))
        {
            failure = exception;
        }

        // Whether it said so or not, it reads no more, but perhaps for our close frame.
        _output.Stop();
        _isGone = _close is null;
        if (failure is null)
        {
            _closed.CancelAfter(EndTime);
        }
        else
        {
            await _closed.CancelAsync();
        }

        await _input.Writer.CompleteAsync(failure is OperationCanceledException ? null : failure);
    }

    /// <summary>The hub is done with it: says so to the client, and waits a moment for it to go, so that it can read that.</summary>
    /// <param name="receiving">From <see cref="ReceiveAsync"/>.</param>
    public async Task CloseAsync(Task receiving)
    {
        _isLeaving = true;
        await _input.Reader.CompleteAsync();
        if (_isGone)
        {
            await receiving;
            return;
        }

        using var limit = new CancellationTokenSource(CloseTime, _time);
        try
        {
            await Writer.WriteAsync(Frames.MakeClose(_close ?? CloseCode.Normal)).AsTask().WaitAsync(limit.Token);
            await receiving.WaitAsync(limit.Token);
            if (_isViolated)
            {
                await SkipAsync(limit.Token);
            }
        }
        catch (Exception exception) when (IsEnd(exception))
        {
            // It is gone, or does not read.
            _abort();
        }

        await receiving;
    }

    private static bool IsEnd(Exception exception) =>
        exception is IOException or SocketException or ObjectDisposedException or OperationCanceledException or ConnectionAbortedException;

    /// <summary>Has the hub look. What it answers at once, and what becomes of that at once, is written together.</summary>
    private ValueTask<FlushResult> GiveAsync()
    {
        Writer.Hold();
        try
        {
            return _input.Writer.FlushAsync();
        }
        finally
        {
            Writer.Release();
        }
    }

    private void Take(ReadResult read)
    {
        try
        {
            foreach (var segment in read.Buffer)
            {
                // Unmasked where it is: nobody else reads it.
                Take(MemoryMarshal.AsMemory(segment).Span);
            }
        }
        finally
        {
            _received.AdvanceTo(read.Buffer.End);
        }
    }

    private void Take(Span<byte> read)
    {
        while (_close is null && _frames.TryRead(ref read, out var piece))
        {
            switch (piece.Kind)
            {
                case Opcode.Text or Opcode.Binary when !_isLeaving:
                    _input.Writer.Write(piece.Payload);
                    break;
                case Opcode.Ping:
                    // Of several that have come only the last has to be answered.
                    _pong = Frames.Make(Opcode.Pong, piece.Payload);
                    break;
                case Opcode.Close:
                    _close = piece.Payload.Length == 0 ? CloseCode.Normal : (CloseCode)BinaryPrimitives.ReadUInt16BigEndian(piece.Payload);
                    break;
            }
        }
    }

    /// <summary>A connection that ends on bytes that nobody has read takes back what the client was told last; so they are read.</summary>
    private async Task SkipAsync(CancellationToken cancellationToken)
    {
        for (var isCompleted = false; !isCompleted;)
        {
            var read = await _received.ReadAsync(cancellationToken);
            _received.AdvanceTo(read.Buffer.End);
            isCompleted = read.IsCompleted;
        }
    }
}
