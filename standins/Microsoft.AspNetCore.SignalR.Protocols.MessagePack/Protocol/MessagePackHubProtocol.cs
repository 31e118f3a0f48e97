using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using MessagePack;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Options;

namespace Microsoft.AspNetCore.SignalR.Protocol;

/// <summary>SignalR's hub protocol in MessagePack: each message an array, with its length before it.</summary>
public class MessagePackHubProtocol : IHubProtocol
{
    private readonly MessagePackSerializerOptions _options;

    public MessagePackHubProtocol()
        : this(Options.Create(new MessagePackHubProtocolOptions()))
    {
    }

    public MessagePackHubProtocol(IOptions<MessagePackHubProtocolOptions> options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options.Value.SerializerOptions;
    }

    public string Name => "messagepack";

    public int Version => 2;

    public TransferFormat TransferFormat => TransferFormat.Binary;

    public bool IsVersionSupported(int version) => version <= Version;

    public bool TryParseMessage(ref ReadOnlySequence<byte> input, IInvocationBinder binder, [NotNullWhen(true)] out HubMessage? message)
    {
        message = MessageLength.TryReadMessage(ref input, out var payload) ? HubMessageReader.Read(payload, binder, _options) : null;
        return message is not null;
    }

    public void WriteMessage(HubMessage message, IBufferWriter<byte> output)
    {
        var payload = Encode(message);
        MessageLength.Write(payload.WrittenCount, output);
        output.Write(payload.WrittenSpan);
    }

    public ReadOnlyMemory<byte> GetMessageBytes(HubMessage message)
    {
        var payload = Encode(message);
        var output = new ArrayBufferWriter<byte>(payload.WrittenCount + sizeof(ulong));
        MessageLength.Write(payload.WrittenCount, output);
        output.Write(payload.WrittenSpan);
        return output.WrittenMemory;
    }

    private ArrayBufferWriter<byte> Encode(HubMessage message)
    {
        var payload = new ArrayBufferWriter<byte>();
        var writer = new MessagePackWriter(payload);
        HubMessageWriter.Write(message, ref writer, _options);
        writer.Flush();
        return payload;
    }
}
