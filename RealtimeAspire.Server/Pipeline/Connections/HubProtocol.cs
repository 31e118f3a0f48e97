using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.ExceptionServices;
using System.Text.Json;
using MessagePack;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Protocol;
using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Connections.MessagePack;

namespace RealtimeAspire.Server.Pipeline.Connections;

/// <summary>
/// One of SignalR's protocols, in which every error has a code: also those that the framework makes by itself, of arguments that
/// do not fit, of methods that do not exist, of messages that are too long, too deep, or none at all.
/// </summary>
internal sealed class HubProtocol : IHubProtocol
{
    /// <summary>What a client calls SignalR's protocol in MessagePack.</summary>
    public const string MessagePackName = "messagepack";

    private const string TooDeep = "The message is nested too deeply, or has not the form of a SignalR message.";

    private const byte RecordSeparator = 0x1e;

    // A message and its arguments are two of the 64 levels that a message may have.
    private const int MaxArgumentDepth = 62;

    private readonly IHubProtocol _inner;
    private readonly long _maxMessageBytes;

    private HubProtocol(IHubProtocol inner, long maxMessageBytes) => (_inner, _maxMessageBytes) = (inner, maxMessageBytes);

    /// <param name="maxMessageBytes">What the hub takes; it ends a connection that sends more.</param>
    public static HubProtocol Json(long maxMessageBytes) => new(new JsonHubProtocol(Options.Create(JsonOptions())), maxMessageBytes);

    /// <inheritdoc cref="Json"/>
    public static HubProtocol MessagePack(long maxMessageBytes)
    {
        var options = new MessagePackHubProtocolOptions
        {
            SerializerOptions = new MessagePackSerializerOptions(new JsonResolver(JsonOptions().PayloadSerializerOptions))
                .WithSecurity(MessagePackSecurity.UntrustedData.WithMaximumObjectGraphDepth(MaxArgumentDepth)),
        };
        return new HubProtocol(new MessagePackHubProtocol(Options.Create(options)), maxMessageBytes);
    }

    public string Name => _inner.Name;

    public int Version => _inner.Version;

    public TransferFormat TransferFormat => _inner.TransferFormat;

    public bool IsVersionSupported(int version) => _inner.IsVersionSupported(version);

    public bool TryParseMessage(ref ReadOnlySequence<byte> input, IInvocationBinder binder, [NotNullWhen(true)] out HubMessage? message)
    {
        var start = input;
        try
        {
            if (_inner.TryParseMessage(ref input, binder, out message))
            {
                message = message is InvocationBindingFailureMessage failure ? WithCode(failure) : message;
                return true;
            }
        }
        // What the parser throws at bytes that are no message; nothing of it is about us.
        catch (Exception exception) when (IsUnreadable(exception))
        {
            return TryReadDeep(start, out message) ? true : throw HubErrors.ToHub(ErrorCode.RequestInvalid, "This is no message of SignalR.", exception);
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

    public void WriteMessage(HubMessage message, IBufferWriter<byte> output) => _inner.WriteMessage(WithCode(message), output);

    public ReadOnlyMemory<byte> GetMessageBytes(HubMessage message) => _inner.GetMessageBytes(WithCode(message));

    private static JsonHubProtocolOptions JsonOptions()
    {
        var options = new JsonHubProtocolOptions();
        ServerJson.Configure(options.PayloadSerializerOptions);
        return options;
    }

    private static HubMessage WithCode(HubMessage message)
    {
        switch (message)
        {
            case CompletionMessage { Error: { } error, InvocationId: { } id } when !HubErrors.TryRead(error, out _, out _):
                var invalid = HubErrors.ToHub(ErrorCode.RequestInvalid);
                // What SignalR itself refuses it tells as such an exception too; the code is behind the first.
                var words = error.Replace($"{nameof(HubException)}: ", "", StringComparison.Ordinal);
                return CompletionMessage.WithError(id, $"{words} {nameof(HubException)}: {invalid.Message}");
            case CloseMessage { Error: { } error }:
                var reason = HubErrors.TryRead(error, out var code, out var sentence) ? code : ErrorCode.Internal;
                return new CloseMessage($"{reason.Code}: {sentence ?? reason.Sentence}", allowReconnect: reason.Retryable);
            default:
                return message;
        }
    }

    private static InvocationBindingFailureMessage WithCode(InvocationBindingFailureMessage failure)
    {
        string? sentence = null;
        for (var cause = failure.BindingFailure.SourceException; cause is not null && sentence is null; cause = cause.InnerException)
        {
            sentence = cause switch
            {
                HubException => "The hub has no such method.",
                JsonException { Path: { Length: > 1 } path } => $"The request has not the expected form at {path}.",
                InsufficientExecutionStackException => TooDeep,
                RealtimeException refused => refused.Message,
                _ => null,
            };
        }

        var error = HubErrors.ToHub(ErrorCode.RequestInvalid, sentence);
        return new InvocationBindingFailureMessage(failure.InvocationId, failure.Target, ExceptionDispatchInfo.Capture(error));
    }

    private static bool IsUnreadable(Exception exception) =>
        exception is InvalidDataException or InvalidOperationException or ArgumentException or FormatException or OverflowException
            or JsonException or MessagePackSerializationException or EndOfStreamException;

    /// <summary>A message that is JSON, but deeper than the parser goes, is answered like any other that does not fit.</summary>
    private bool TryReadDeep(ReadOnlySequence<byte> input, [NotNullWhen(true)] out HubMessage? message)
    {
        message = null;
        var end = TransferFormat is TransferFormat.Text ? input.PositionOf(RecordSeparator) : null;
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

            var error = HubErrors.ToHub(ErrorCode.RequestInvalid, TooDeep);
            message = id is null ? null : new InvocationBindingFailureMessage(id, target, ExceptionDispatchInfo.Capture(error));
            return id is not null;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            return false;
        }
    }
}

/// <summary>Gives <see cref="RealtimeHub"/> its protocols, and no other hub of the process.</summary>
/// <param name="maxMessageBytes">What the hub takes; it ends a connection that sends more.</param>
internal sealed class HubProtocolResolver(long maxMessageBytes) : IHubProtocolResolver
{
    public IReadOnlyList<IHubProtocol> AllProtocols { get; } = [HubProtocol.Json(maxMessageBytes), HubProtocol.MessagePack(maxMessageBytes)];

    public IHubProtocol? GetProtocol(string protocolName, IReadOnlyList<string>? supportedProtocols) =>
        AllProtocols.FirstOrDefault(protocol => string.Equals(protocolName, protocol.Name, StringComparison.OrdinalIgnoreCase));
}
