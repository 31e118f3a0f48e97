using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.ExceptionServices;
using System.Text.Json;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Protocol;
using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Pipeline.Connections;

/// <summary>
/// SignalR's JSON protocol, in which every error has a code: also those that the framework makes by itself, of arguments that
/// do not fit, of methods that do not exist, of messages that are too long, too deep, or no JSON.
/// </summary>
internal sealed class HubProtocol : IHubProtocol
{
    private const byte RecordSeparator = 0x1e;

    private readonly JsonHubProtocol _json;
    private readonly long _maxMessageBytes;

    /// <param name="maxMessageBytes">What the hub takes; it ends a connection that sends more.</param>
    public HubProtocol(long maxMessageBytes)
    {
        var options = new JsonHubProtocolOptions();
        ServerJson.Configure(options.PayloadSerializerOptions);
        (_json, _maxMessageBytes) = (new JsonHubProtocol(Options.Create(options)), maxMessageBytes);
    }

    public string Name => _json.Name;

    public int Version => _json.Version;

    public TransferFormat TransferFormat => _json.TransferFormat;

    public bool IsVersionSupported(int version) => _json.IsVersionSupported(version);

    public bool TryParseMessage(ref ReadOnlySequence<byte> input, IInvocationBinder binder, [NotNullWhen(true)] out HubMessage? message)
    {
        var start = input;
        try
        {
            if (_json.TryParseMessage(ref input, binder, out message))
            {
                message = message is InvocationBindingFailureMessage failure ? WithCode(failure) : message;
                return true;
            }
        }
        // What the parser throws at bytes that are no message; nothing of it is about us.
        catch (Exception exception) when (exception is InvalidDataException or JsonException or InvalidOperationException or FormatException)
        {
            return TryReadDeep(start, out message) ? true : throw Unreadable(exception);
        }

        if (input.Length < start.Length)
        {
            // A message of a type that SignalR may have one day: to be ignored, like a ping.
            message = PingMessage.Instance;
            return true;
        }

        // The hub shows at most so many bytes; what has not ended by then is longer.
        return input.Length < _maxMessageBytes
            ? false
            : throw HubErrors.ToHub(ErrorCode.PayloadTooLarge, $"A message has at most {_maxMessageBytes} bytes.");
    }

    public void WriteMessage(HubMessage message, IBufferWriter<byte> output) => _json.WriteMessage(WithCode(message), output);

    public ReadOnlyMemory<byte> GetMessageBytes(HubMessage message) => _json.GetMessageBytes(WithCode(message));

    private static HubMessage WithCode(HubMessage message)
    {
        switch (message)
        {
            case CompletionMessage { Error: { } error, InvocationId: { } id } when !HubErrors.TryRead(error, out _, out _):
                var invalid = HubErrors.ToHub(ErrorCode.RequestInvalid);
                return CompletionMessage.WithError(id, $"{error} {nameof(HubException)}: {invalid.Message}");
            case CloseMessage { Error: { } error }:
                var reason = HubErrors.TryRead(error, out var code, out var sentence) ? code : ErrorCode.Internal;
                return new CloseMessage($"{reason.Code}: {sentence ?? reason.Sentence}", allowReconnect: reason.Retryable);
            default:
                return message;
        }
    }

    private static InvocationBindingFailureMessage WithCode(InvocationBindingFailureMessage failure)
    {
        var sentence = failure.BindingFailure.SourceException switch
        {
            HubException => "The hub has no such method.",
            { InnerException: JsonException { Path: { Length: > 1 } path } } => $"The request has not the expected form at {path}.",
            _ => null,
        };
        var error = HubErrors.ToHub(ErrorCode.RequestInvalid, sentence);
        return new InvocationBindingFailureMessage(failure.InvocationId, failure.Target, ExceptionDispatchInfo.Capture(error));
    }

    /// <summary>A message that is JSON, but deeper than the parser goes, is answered like any other that does not fit.</summary>
    private static bool TryReadDeep(ReadOnlySequence<byte> input, [NotNullWhen(true)] out HubMessage? message)
    {
        message = null;
        var end = input.PositionOf(RecordSeparator);
        if (end is null)
        {
            return false;
        }

        try
        {
            var reader = new Utf8JsonReader(input.Slice(0, end.Value), new JsonReaderOptions { MaxDepth = int.MaxValue });
            string? id = null;
            var target = "";
            while (reader.Read())
            {
                if (reader.TokenType is not JsonTokenType.PropertyName || reader.CurrentDepth != 1)
                {
                    continue;
                }

                var isId = reader.ValueTextEquals("invocationId"u8);
                var isTarget = reader.ValueTextEquals("target"u8);
                reader.Read();
                id = isId && reader.TokenType is JsonTokenType.String ? reader.GetString() : id;
                target = isTarget && reader.TokenType is JsonTokenType.String ? reader.GetString()! : target;
            }

            var error = HubErrors.ToHub(ErrorCode.RequestInvalid, "The message is nested too deeply, or has not the form of a SignalR message.");
            message = id is null ? null : new InvocationBindingFailureMessage(id, target, ExceptionDispatchInfo.Capture(error));
            return id is not null;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            return false;
        }
    }

    private static HubException Unreadable(Exception cause) => HubErrors.ToHub(ErrorCode.RequestInvalid, "The message is not a SignalR message in JSON.", cause);
}

/// <summary>Gives <see cref="RealtimeHub"/> its protocol, and no other hub of the process.</summary>
internal sealed class HubProtocolResolver(HubProtocol protocol) : IHubProtocolResolver
{
    public IReadOnlyList<IHubProtocol> AllProtocols { get; } = [protocol];

    public IHubProtocol? GetProtocol(string protocolName, IReadOnlyList<string>? supportedProtocols) =>
        string.Equals(protocolName, protocol.Name, StringComparison.OrdinalIgnoreCase) ? protocol : null;
}
