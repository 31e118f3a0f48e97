using System.IO.Pipelines;
using System.Text.Json;
using System.Threading.Channels;
using Microsoft.AspNetCore.Http;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Connections;
using RealtimeAspire.Server.Pipeline.Feeds;

namespace RealtimeAspire.Server.Http;

/// <summary>
/// A connection whose events leave as <c>text/event-stream</c>. Whoever writes holds the turn: the connection that brings what
/// is live, or the stream that reads a topic's past. What both bring is written once, as each topic's position tells.
/// </summary>
/// <param name="context">The request.</param>
/// <param name="topics">The topics, by their place in the request.</param>
/// <param name="time">Bounds the farewell.</param>
internal sealed class SseTransport(HttpContext context, IReadOnlyList<TopicStart> topics, TimeProvider time) : IConnectionTransport, IDisposable
{
    private static readonly TimeSpan FarewellTime = TimeSpan.FromSeconds(1);

    private readonly Dictionary<string, int> _indexes = topics.Index().ToDictionary(topic => topic.Item.Name.Value, topic => topic.Index, StringComparer.Ordinal);
    private readonly Channel<int> _resets = Channel.CreateUnbounded<int>();
    private readonly CancellationTokenSource _ended = new();
    private readonly Lock _lock = new();

    // Under the lock.
    private bool _begins;
    private bool _isRefused;

    // The stream opens in the first turn.
    private readonly SemaphoreSlim _turn = new(0, 1);

    // These belong to whoever has the turn.
    private readonly bool[] _live = new bool[topics.Count];
    private StreamPosition _at = new([]);
    private bool _over;

    private PipeWriter Output => context.Response.BodyWriter;

    public string Name => "sse";

    /// <summary>Cancelled when nothing more is written.</summary>
    public CancellationToken Ended => _ended.Token;

    /// <summary>The topics whose subscriptions have ended and are to be had again.</summary>
    public ChannelReader<int> Resets => _resets.Reader;

    /// <summary>Where the reader is; for who has the turn.</summary>
    public Position this[int topic]
    {
        get => _at[topic];
        set => _at[topic] = value;
    }

    /// <summary>From here on what the connection brings of a topic follows what has been written; for who has the turn.</summary>
    public void GoLive(int topic) => _live[topic] = true;

    public Task TakeTurnAsync(CancellationToken cancellationToken) => _turn.WaitAsync(cancellationToken);

    /// <summary>False: somebody writes.</summary>
    public bool TryTakeTurn() => _turn.Wait(0);

    public void EndTurn() => _turn.Release();

    /// <summary>After this a connection that is closed is told so in a frame. False: it was closed before, and gets no stream.</summary>
    public bool TryOpen()
    {
        lock (_lock)
        {
            return _begins = !_isRefused;
        }
    }

    /// <summary>The first frame.</summary>
    public void Begin(StreamPosition at, ReadOnlySpan<byte> subscribed, int retryMs)
    {
        _at = at;
        SseFrame.WriteRetry(Output, retryMs);
        SseFrame.Write(Output, "subscribed"u8, _at, subscribed);
    }

    /// <summary>An event behind the topic's position; one that is not has been written before.</summary>
    public void Write(EncodedEvent written)
    {
        var topic = _indexes[written.Topic.Name.Value];
        if (!written.IsEphemeral)
        {
            if (written.Position.Offset <= _at[topic].Offset)
            {
                return;
            }

            _at[topic] = written.Position;
        }

        SseFrame.Write(Output, [], _at, written.Json.Span);
    }

    public void Write(Control control) =>
        SseFrame.Write(Output, "control"u8, _at, JsonSerializer.SerializeToUtf8Bytes(control, RealtimeJson.Default.Control));

    public void WriteHeartbeat() => SseFrame.WriteComment(Output);

    public async ValueTask FlushAsync(CancellationToken cancellationToken) => await Output.FlushAsync(cancellationToken);

    /// <summary>Nothing is written after this; for who has the turn.</summary>
    public void End()
    {
        _over = true;
        _ended.Cancel();
    }

    public async ValueTask SendEventsAsync(EventBatch events, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            if (_over)
            {
                return;
            }

            foreach (var sent in events.Events)
            {
                var topic = _indexes[sent.Topic.Name.Value];
                if (_live[topic] && IsOfAnotherLog(sent, _at[topic]))
                {
                    Restart(topic);
                }

                // Of a topic that is yet to be caught up with, it is left over from a subscription that was left.
                if (_live[topic])
                {
                    Write(sent);
                }
            }

            await FlushAsync(cancellationToken);
        }
        finally
        {
            _turn.Release();
        }
    }

    public async ValueTask SendControlAsync(Control control, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            if (_over)
            {
                return;
            }

            if (control.RetryAfterMs is { } milliseconds)
            {
                SseFrame.WriteRetry(Output, milliseconds);
            }

            Write(control);
            await FlushAsync(cancellationToken);
            if (control.Type == Control.Draining)
            {
                End();
            }
            else if (control.Type == Control.Reset && control.Topic is { } topic)
            {
                Restart(_indexes[topic]);
            }
        }
        finally
        {
            _turn.Release();
        }
    }

    public async Task CloseAsync(ErrorCode reason)
    {
        if (!HasBegun())
        {
            await _ended.CancelAsync();
            return;
        }

        using var patience = new CancellationTokenSource(FarewellTime, time);
        try
        {
            await _turn.WaitAsync(patience.Token);
            try
            {
                if (!_over)
                {
                    Write(new Control { Type = TypeOf(reason), Code = reason.Code, Reason = reason.Sentence });
                    await FlushAsync(patience.Token);
                    End();
                }
            }
            finally
            {
                _turn.Release();
            }
        }
        catch (OperationCanceledException)
        {
            // It reads too slowly even for that.
            context.Abort();
        }
    }

    public void Dispose()
    {
        _ended.Dispose();
        _turn.Dispose();
    }

    /// <summary>A hub's client subscribes again by itself when it sees that; here the server does it for the reader.</summary>
    private static bool IsOfAnotherLog(EncodedEvent sent, Position at) => !sent.IsEphemeral && at.Offset > 0 && sent.Position.Epoch != at.Epoch;

    /// <summary>If it has not, it will not.</summary>
    private bool HasBegun()
    {
        lock (_lock)
        {
            _isRefused = !_begins;
            return _begins;
        }
    }

    private void Restart(int topic)
    {
        _live[topic] = false;
        _resets.Writer.TryWrite(topic);
    }

    private static string TypeOf(ErrorCode reason) => reason switch
    {
        _ when reason == ErrorCode.TokenExpired => Control.Expiring,
        _ when reason == ErrorCode.Draining => Control.Draining,
        _ => Control.Unsubscribed,
    };
}
