using MessagePack;

namespace Microsoft.AspNetCore.SignalR.Protocol;

/// <summary>Writes messages as the specification of the hub protocol has them.</summary>
internal static class HubMessageWriter
{
    public static void Write(HubMessage message, ref MessagePackWriter writer, MessagePackSerializerOptions options)
    {
        switch (message)
        {
            case InvocationMessage invocation:
                Begin(HubProtocolConstants.InvocationMessageType, 6, invocation, ref writer);
                WriteCall(invocation, ref writer, options);
                break;
            case StreamInvocationMessage invocation:
                Begin(HubProtocolConstants.StreamInvocationMessageType, 6, invocation, ref writer);
                WriteCall(invocation, ref writer, options);
                break;
            case StreamItemMessage item:
                Begin(HubProtocolConstants.StreamItemMessageType, 4, item, ref writer);
                WriteValue(item.Item, ref writer, options);
                break;
            case CompletionMessage completion:
                WriteCompletion(completion, ref writer, options);
                break;
            case CancelInvocationMessage cancel:
                Begin(HubProtocolConstants.CancelInvocationMessageType, 3, cancel, ref writer);
                break;
            case PingMessage:
                writer.WriteArrayHeader(1);
                writer.Write(HubProtocolConstants.PingMessageType);
                break;
            case CloseMessage close:
                writer.WriteArrayHeader(3);
                writer.Write(HubProtocolConstants.CloseMessageType);
                WriteNonEmpty(close.Error, ref writer);
                writer.Write(close.AllowReconnect);
                break;
            case AckMessage ack:
                writer.WriteArrayHeader(2);
                writer.Write(HubProtocolConstants.AckMessageType);
                writer.Write(ack.SequenceId);
                break;
            case SequenceMessage sequence:
                writer.WriteArrayHeader(2);
                writer.Write(HubProtocolConstants.SequenceMessageType);
                writer.Write(sequence.SequenceId);
                break;
            default:
                throw new InvalidDataException($"Unexpected message type: {message.GetType().Name}");
        }
    }

    /// <summary>What all messages about an invocation have first.</summary>
    private static void Begin(int type, int length, HubInvocationMessage message, ref MessagePackWriter writer)
    {
        writer.WriteArrayHeader(length);
        writer.Write(type);
        writer.WriteMapHeader(message.Headers?.Count ?? 0);
        foreach (var (key, value) in message.Headers ?? new Dictionary<string, string>())
        {
            writer.Write(key);
            writer.Write(value);
        }

        WriteNonEmpty(message.InvocationId, ref writer);
    }

    private static void WriteCall(HubMethodInvocationMessage call, ref MessagePackWriter writer, MessagePackSerializerOptions options)
    {
        writer.Write(call.Target);
        writer.WriteArrayHeader(call.Arguments.Length);
        foreach (var argument in call.Arguments)
        {
            WriteValue(argument, ref writer, options);
        }

        writer.WriteArrayHeader(call.StreamIds?.Length ?? 0);
        foreach (var id in call.StreamIds ?? [])
        {
            writer.Write(id);
        }
    }

    private static void WriteCompletion(CompletionMessage completion, ref MessagePackWriter writer, MessagePackSerializerOptions options)
    {
        var kind = completion.Error is not null ? ResultKind.Error : completion.HasResult ? ResultKind.Value : ResultKind.Void;
        Begin(HubProtocolConstants.CompletionMessageType, kind is ResultKind.Void ? 4 : 5, completion, ref writer);
        writer.Write((int)kind);
        if (kind is ResultKind.Error)
        {
            writer.Write(completion.Error);
        }
        else if (kind is ResultKind.Value)
        {
            WriteValue(completion.Result, ref writer, options);
        }
    }

    private static void WriteValue(object? value, ref MessagePackWriter writer, MessagePackSerializerOptions options)
    {
        switch (value)
        {
            case null:
                writer.WriteNil();
                break;
            case RawResult raw:
                writer.WriteRaw(raw.RawSerializedData);
                break;
            default:
                MessagePackSerializer.Serialize(value.GetType(), ref writer, value, options);
                break;
        }
    }

    private static void WriteNonEmpty(string? text, ref MessagePackWriter writer) => writer.Write(string.IsNullOrEmpty(text) ? null : text);
}
