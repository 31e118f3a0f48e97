using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.ExceptionServices;
using System.Text;
using MessagePack;

namespace Microsoft.AspNetCore.SignalR.Protocol;

/// <summary>What a completion carries.</summary>
internal enum ResultKind
{
    Error = 1,
    Void = 2,
    Value = 3,
}

/// <summary>
/// Reads messages. What is wrong with arguments or items becomes a message that says so; what is wrong before them, or with the
/// message as such, is an exception.
/// </summary>
internal static class HubMessageReader
{
    /// <summary>Null: a type of message that this version does not know, to be ignored.</summary>
    public static HubMessage? Read(ReadOnlySequence<byte> payload, IInvocationBinder binder, MessagePackSerializerOptions options)
    {
        var reader = new MessagePackReader(payload);
        var length = reader.ReadArrayHeader();
        return Read("messageType", ref reader, static (ref reader) => reader.ReadInt32()) switch
        {
            HubProtocolConstants.InvocationMessageType => ReadCall(ref reader, binder, length, isStream: false, options),
            HubProtocolConstants.StreamInvocationMessageType => ReadCall(ref reader, binder, length, isStream: true, options),
            HubProtocolConstants.StreamItemMessageType => ReadItem(ref reader, binder, options),
            HubProtocolConstants.CompletionMessageType => ReadCompletion(ref reader, binder, options),
            HubProtocolConstants.CancelInvocationMessageType => ReadCancel(ref reader),
            HubProtocolConstants.PingMessageType => PingMessage.Instance,
            HubProtocolConstants.CloseMessageType => ReadClose(ref reader, length),
            HubProtocolConstants.AckMessageType => new AckMessage(ReadSequenceId(ref reader)),
            HubProtocolConstants.SequenceMessageType => new SequenceMessage(ReadSequenceId(ref reader)),
            _ => null,
        };
    }

    private static HubMessage ReadCall(ref MessagePackReader reader, IInvocationBinder binder, int length, bool isStream, MessagePackSerializerOptions options)
    {
        var headers = ReadHeaders(ref reader);
        var id = isStream ? ReadId(ref reader, "StreamInvocation") : ReadText("invocationId", ref reader) is { Length: > 0 } given ? given : null;
        var target = Required(ReadTarget(ref reader, binder), isStream ? "target for StreamInvocation message" : "target for Invocation message");
        object?[] arguments;
        try
        {
            arguments = ReadArguments(ref reader, binder.GetParameterTypes(target), options);
        }
        catch (Exception exception)
        {
            return new InvocationBindingFailureMessage(id, target, ExceptionDispatchInfo.Capture(exception));
        }

        // Old clients leave them out.
        var streams = length > 5 ? ReadStreamIds(ref reader) : null;
        return isStream
            ? WithHeaders(new StreamInvocationMessage(id!, target, arguments, streams), headers)
            : WithHeaders(new InvocationMessage(id, target, arguments, streams), headers);
    }

    private static HubMessage ReadItem(ref MessagePackReader reader, IInvocationBinder binder, MessagePackSerializerOptions options)
    {
        var headers = ReadHeaders(ref reader);
        var id = ReadId(ref reader, "StreamItem");
        try
        {
            return WithHeaders(new StreamItemMessage(id, ReadValue(ref reader, binder.GetStreamItemType(id), "item", options)), headers);
        }
        catch (Exception exception)
        {
            return new StreamBindingFailureMessage(id, ExceptionDispatchInfo.Capture(exception));
        }
    }

    private static CompletionMessage ReadCompletion(ref MessagePackReader reader, IInvocationBinder binder, MessagePackSerializerOptions options)
    {
        var headers = ReadHeaders(ref reader);
        var id = ReadId(ref reader, "Completion");
        return WithHeaders((ResultKind)Read("resultKind", ref reader, static (ref reader) => reader.ReadInt32()) switch
        {
            ResultKind.Error => new CompletionMessage(id, ReadText("error", ref reader), result: null, hasResult: false),
            ResultKind.Void => new CompletionMessage(id, error: null, result: null, hasResult: false),
            ResultKind.Value => ReadResult(ref reader, binder, id, options),
            _ => throw new InvalidDataException("Invalid invocation result kind."),
        }, headers);
    }

    private static CompletionMessage ReadResult(ref MessagePackReader reader, IInvocationBinder binder, string id, MessagePackSerializerOptions options)
    {
        if (ReturnTypeOf(binder, id) is not { } type)
        {
            // Nobody waits for it.
            reader.Skip();
            return new CompletionMessage(id, error: null, result: null, hasResult: true);
        }

        if (type == typeof(RawResult))
        {
            return new CompletionMessage(id, error: null, new RawResult(reader.ReadRaw()), hasResult: true);
        }

        try
        {
            return new CompletionMessage(id, error: null, ReadValue(ref reader, type, "argument", options), hasResult: true);
        }
        catch (Exception exception)
        {
            return new CompletionMessage(id, $"Error trying to deserialize result to {type.Name}. {exception.Message}", result: null, hasResult: false);
        }
    }

    private static Type? ReturnTypeOf(IInvocationBinder binder, string id)
    {
        try
        {
            return binder.GetReturnType(id);
        }
        catch (Exception)
        {
            return null;
        }
    }

    private static CancelInvocationMessage ReadCancel(ref MessagePackReader reader)
    {
        var headers = ReadHeaders(ref reader);
        return WithHeaders(new CancelInvocationMessage(ReadId(ref reader, "CancelInvocation")), headers);
    }

    private static CloseMessage ReadClose(ref MessagePackReader reader, int length)
    {
        var error = ReadText("error", ref reader);
        var mayReconnect = length > 2 && Read("allowReconnect", ref reader, static (ref reader) => reader.ReadBoolean());
        return error is null && !mayReconnect ? CloseMessage.Empty : new CloseMessage(error, mayReconnect);
    }

    private static long ReadSequenceId(ref MessagePackReader reader) => Read("sequenceId", ref reader, static (ref reader) => reader.ReadInt64());

    private static Dictionary<string, string> ReadHeaders(ref MessagePackReader reader)
    {
        var headers = new Dictionary<string, string>(StringComparer.Ordinal);
        for (var count = Read("headers", ref reader, static (ref reader) => reader.ReadMapHeader()); count > 0; count--)
        {
            var key = Required(ReadText("headers.Key", ref reader), "key in header");
            headers.Add(key, Required(ReadText("headers.Value", ref reader), "value in header"));
        }

        return headers;
    }

    private static string[]? ReadStreamIds(ref MessagePackReader reader)
    {
        var ids = new List<string>();
        for (var count = Read("streamIds", ref reader, static (ref reader) => reader.ReadArrayHeader()); count > 0; count--)
        {
            ids.Add(Required(reader.ReadString(), "value in streamIds received"));
        }

        return ids.Count == 0 ? null : [.. ids];
    }

    private static object?[] ReadArguments(ref MessagePackReader reader, IReadOnlyList<Type> types, MessagePackSerializerOptions options)
    {
        var count = Read("arguments", ref reader, static (ref reader) => reader.ReadArrayHeader());
        if (count != types.Count)
        {
            throw new InvalidDataException($"Invocation provides {count} argument(s) but target expects {types.Count}.");
        }

        var arguments = new object?[count];
        for (var i = 0; i < count; i++)
        {
            try
            {
                arguments[i] = ReadValue(ref reader, types[i], "argument", options);
            }
            catch (Exception exception)
            {
                throw new InvalidDataException(
                    $"Error binding argument {i + 1}. Make sure that the types of the provided values match the types of the hub method being invoked.", exception);
            }
        }

        return arguments;
    }

    private static object? ReadValue(ref MessagePackReader reader, Type type, string field, MessagePackSerializerOptions options)
    {
        try
        {
            return MessagePackSerializer.Deserialize(type, ref reader, options);
        }
        catch (Exception exception)
        {
            throw new InvalidDataException($"Deserializing object of the `{type.Name}` type for '{field}' failed.", exception);
        }
    }

    private static string ReadId(ref MessagePackReader reader, string message) => Required(ReadText("invocationId", ref reader), $"invocation ID for {message} message");

    private static string? ReadTarget(ref MessagePackReader reader, IInvocationBinder binder)
    {
        try
        {
            return reader.TryReadStringSpan(out var name) ? binder.GetTarget(name) ?? Encoding.UTF8.GetString(name) : reader.ReadString();
        }
        catch (Exception exception)
        {
            throw new InvalidDataException("Reading 'target' as String failed.", exception);
        }
    }

    private static string? ReadText(string field, ref MessagePackReader reader) => Read(field, ref reader, static (ref reader) => reader.ReadString());

    private static T Read<T>(string field, ref MessagePackReader reader, ReadOne<T> read)
    {
        try
        {
            return read(ref reader);
        }
        catch (Exception exception)
        {
            throw new InvalidDataException($"Reading '{field}' failed.", exception);
        }
    }

    private static string Required([NotNull] string? text, string what) =>
        string.IsNullOrEmpty(text) ? throw new InvalidDataException($"Null or empty {what}.") : text;

    private static T WithHeaders<T>(T message, Dictionary<string, string> headers)
        where T : HubInvocationMessage
    {
        if (headers.Count > 0)
        {
            message.Headers = headers;
        }

        return message;
    }

    private delegate T ReadOne<out T>(ref MessagePackReader reader);
}
