using System.Buffers;
using System.Buffers.Text;
using System.Text;

namespace RealtimeAspire.Benchmarks.Load;

/// <summary>How a server is spoken to. What is published is found in incoming messages by its stamp, so reading is about the rest.</summary>
internal abstract class Wire
{
    /// <summary>The first message of a client, which the server answers; null: none is needed.</summary>
    public virtual byte[]? Hello => null;

    /// <summary>What a client has to send now and then; null: nothing.</summary>
    public virtual byte[]? KeepAlive => null;

    /// <summary>Whether publishes are acknowledged.</summary>
    public virtual bool Acknowledges => false;

    public abstract Uri AddressOf(Uri node, string token);

    public abstract void WriteSubscribe(IBufferWriter<byte> writer, int id, string topic, string? position, string? presence);

    public abstract void WritePublish(IBufferWriter<byte> writer, int id, string topic, ReadOnlySpan<byte> payload);

    /// <summary>Finds the replies in a message.</summary>
    public abstract void Read(ReadOnlySpan<byte> message, LoadClient client);

    protected static void Write(IBufferWriter<byte> writer, string text) => Encoding.UTF8.GetBytes(text, writer);

    protected static int NumberAfter(ReadOnlySpan<byte> message, ReadOnlySpan<byte> key) =>
        message.IndexOf(key) is >= 0 and var at && Utf8Parser.TryParse(message[(at + key.Length)..], out int number, out _) ? number : -1;
}

/// <summary>The protocol of <c>ws.mjs</c>. Replies carry no id, so only one call is under way per connection.</summary>
internal sealed class PlainWire : Wire
{
    public override Uri AddressOf(Uri node, string token) => new(node, "/");

    public override void WriteSubscribe(IBufferWriter<byte> writer, int id, string topic, string? position, string? presence) => Write(writer, $"S{topic}");

    public override void WritePublish(IBufferWriter<byte> writer, int id, string topic, ReadOnlySpan<byte> payload)
    {
        Write(writer, $"P{topic}\n");
        writer.Write(payload);
    }

    public override void Read(ReadOnlySpan<byte> message, LoadClient client)
    {
        if (message is [(byte)'A'])
            client.RepliedToAll(message);
    }
}

/// <summary>Engine.IO 4 with Socket.IO 5 in it, over a WebSocket from the start.</summary>
internal sealed class SocketIoWire : Wire
{
    public override byte[] Hello { get; } = "40"u8.ToArray();

    public override Uri AddressOf(Uri node, string token) => new(node, "/socket.io/?EIO=4&transport=websocket");

    public override void WriteSubscribe(IBufferWriter<byte> writer, int id, string topic, string? position, string? presence) =>
        Write(writer, $"42{id}[\"subscribe\",\"{topic}\"]");

    public override void WritePublish(IBufferWriter<byte> writer, int id, string topic, ReadOnlySpan<byte> payload)
    {
        Write(writer, $"42[\"publish\",\"{topic}\",");
        writer.Write(payload);
        Write(writer, "]");
    }

    public override void Read(ReadOnlySpan<byte> message, LoadClient client)
    {
        if (message is [(byte)'2'])
            client.Answer("3"u8);
        else if (message.StartsWith("40"u8))
            client.Opened();
        else if (message.StartsWith("43"u8))
            client.Replied(NumberAfter(message, "43"u8), message);
    }
}

/// <summary>SignalR's JSON protocol.</summary>
internal abstract class HubWire : Wire
{
    private const byte RecordSeparator = 0x1e;

    public override byte[] Hello { get; } = "{\"protocol\":\"json\",\"version\":1}\u001e"u8.ToArray();

    public override byte[] KeepAlive { get; } = "{\"type\":6}\u001e"u8.ToArray();

    public override bool Acknowledges => true;

    public override void Read(ReadOnlySpan<byte> message, LoadClient client)
    {
        while (message.IndexOf(RecordSeparator) is >= 0 and var end)
        {
            var record = message[..end];
            message = message[(end + 1)..];
            if (record.StartsWith("{\"type\":3"u8))
                Complete(record, client);
            else if (record.SequenceEqual("{}"u8))
                client.Opened();
        }
    }

    protected static void WriteCall(IBufferWriter<byte> writer, int id, string target, string argument)
    {
        Write(writer, $"{{\"type\":1,\"invocationId\":\"{id}\",\"target\":\"{target}\",\"arguments\":[{argument}");
    }

    protected static void WriteEnd(IBufferWriter<byte> writer, string rest) => Write(writer, $"{rest}]}}\u001e");

    private static void Complete(ReadOnlySpan<byte> record, LoadClient client)
    {
        var id = NumberAfter(record, "\"invocationId\":\""u8);
        // The error, where there is one, stands right behind the id; further in it may be somebody's payload.
        if (record[..Math.Min(record.Length, 64)].IndexOf("\"error\":"u8) >= 0)
            client.Failed(id, Encoding.UTF8.GetString(record));
        else
            client.Replied(id, record);
    }
}

/// <summary>The bare hub's methods.</summary>
internal sealed class BareHubWire : HubWire
{
    public override Uri AddressOf(Uri node, string token) => new(node, Peers.BareHub.Path);

    public override void WriteSubscribe(IBufferWriter<byte> writer, int id, string topic, string? position, string? presence)
    {
        WriteCall(writer, id, "Subscribe", $"\"{topic}\"");
        WriteEnd(writer, "");
    }

    public override void WritePublish(IBufferWriter<byte> writer, int id, string topic, ReadOnlySpan<byte> payload)
    {
        WriteCall(writer, id, "Publish", $"\"{topic}\",");
        writer.Write(payload);
        WriteEnd(writer, "");
    }
}

/// <summary>The methods of <c>/realtime</c>. Publishes carry an id, as those of a real client do.</summary>
internal sealed class RealtimeWire : HubWire
{
    private static readonly string Ids = Guid.NewGuid().ToString("n");

    private long _published;

    public override Uri AddressOf(Uri node, string token) => new(node, $"/realtime?access_token={token}");

    public override void WriteSubscribe(IBufferWriter<byte> writer, int id, string topic, string? position, string? presence)
    {
        WriteCall(writer, id, "Subscribe", $"{{\"topic\":\"{topic}\"{(position is null ? "" : $",\"position\":{position}")}{(presence is null ? "" : $",\"presence\":\"{presence}\"")}}}");
        WriteEnd(writer, "");
    }

    public override void WritePublish(IBufferWriter<byte> writer, int id, string topic, ReadOnlySpan<byte> payload)
    {
        WriteCall(writer, id, "Publish", $"{{\"topic\":\"{topic}\",\"event\":\"{Peers.RealtimePeer.Event}\",\"id\":\"{NextId()}\",\"payload\":");
        writer.Write(payload);
        WriteEnd(writer, "}");
    }

    public string NextId() => $"{Ids}-{Interlocked.Increment(ref _published)}";
}
