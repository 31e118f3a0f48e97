using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Protocol;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Connections.MessagePack;
using RealtimeAspire.Server.Pipeline.Connections.WebSockets;

namespace RealtimeAspire.Server.Pipeline.Feeds;

/// <summary>
/// Events that leave together, in order. A feed makes one of what it has at a moment, and all its subscribers share it, with
/// the frame in which it is written.
/// </summary>
internal sealed class EventBatch
{
    private readonly EncodedEvent[] _events;
    private SerializedHubMessage? _message;
    private byte[]? _jsonFrame;
    private byte[]? _packedFrame;
    private byte[]? _numberedFrame;

    /// <param name="events">One or more; not changed afterwards.</param>
    public EventBatch(params EncodedEvent[] events)
    {
        _events = events;
        foreach (var encoded in events)
        {
            Bytes += encoded.Json.Length;
            HasEphemeral |= encoded.IsEphemeral;
        }
    }

    public IReadOnlyList<EncodedEvent> Events => _events;

    public int Bytes { get; }

    public bool HasEphemeral { get; }

    private static ReadOnlySpan<byte> MessageStart => "{\"type\":1,\"target\":\"Events\",\"arguments\":[["u8;

    private static ReadOnlySpan<byte> MessageEnd => "]]}\u001e"u8;

    /// <summary>As a message of the hub, encoded once.</summary>
    // Two that come at once encode it twice, to the same bytes; as with the frame.
    public SerializedHubMessage Message =>
        _message ??= new SerializedHubMessage(new InvocationMessage(nameof(IRealtimeClient.Events), [_events]));

    /// <summary>As the same message in the JSON hub protocol, in a WebSocket frame.</summary>
    public ReadOnlyMemory<byte> JsonFrame => _jsonFrame ??= WriteJsonFrame();

    /// <summary>As the same message in the MessagePack hub protocol, in a WebSocket frame.</summary>
    public ReadOnlyMemory<byte> PackedFrame => _packedFrame ??= PackedMessage.WriteFrame(_events, Bytes, numbered: false);

    /// <summary>The same with the topics' numbers instead of their names.</summary>
    public ReadOnlyMemory<byte> NumberedFrame => _numberedFrame ??= PackedMessage.WriteFrame(_events, Bytes, numbered: true);

    private byte[] WriteJsonFrame()
    {
        var payload = MessageStart.Length + Bytes + _events.Length - 1 + MessageEnd.Length;
        var header = Frames.HeaderLength(payload);
        var frame = new byte[header + payload];
        Frames.WriteHeader(frame.AsSpan(0, header), Opcode.Text, payload);
        var rest = Write(MessageStart, frame.AsSpan(header));
        for (var i = 0; i < _events.Length; i++)
        {
            rest = Write(_events[i].Json.Span, i == 0 ? rest : Write(","u8, rest));
        }

        Write(MessageEnd, rest);
        return frame;
    }

    private static Span<byte> Write(ReadOnlySpan<byte> bytes, Span<byte> to)
    {
        bytes.CopyTo(to);
        return to[bytes.Length..];
    }
}
