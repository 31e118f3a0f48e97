using RealtimeAspire.Protocol;

namespace RealtimeAspire.Client;

/// <summary>What a client says of its own, beside the server's codes.</summary>
internal static class ClientErrors
{
    public static ErrorCode Closed { get; } = new("closed", 410, Retryable: false, "The client was closed.");

    public static ErrorCode Replaced { get; } = new("replaced", 409, Retryable: false, "Another subscription to the topic has replaced this one.");

    public static ErrorCode HandlerFailed { get; } = new("handler_failed", 500, Retryable: false, "The application's handler failed.");

    public static ErrorCode OutboxFull { get; } = new("outbox_full", 503, Retryable: true, "As many publishes as may wait for the connection.");

    public static ErrorCode OutboxExpired { get; } = new("outbox_expired", 504, Retryable: false, "The publish could not be sent in time.");

    public static ErrorCode CircuitOpen { get; } =
        new("circuit_open", 503, Retryable: true, "Requests to the server fail one after another; none is sent for a moment.");

    public static ErrorCode OptionInvalid { get; } = new("option_invalid", 400, Retryable: false, "An option of the client is out of range.");

    public static ErrorCode Unknown { get; } =
        new("unknown", 504, Retryable: false, "The publish was sent and not answered in time; it may have been published.");
}
