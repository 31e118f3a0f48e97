using System.Text.Json;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Client.Transports;

/// <summary>Hears what the server sends.</summary>
internal interface IServerListener
{
    void Events(TopicEvent[] events);

    void Control(Control control);

    /// <summary>Somebody calls what is handled here.</summary>
    void Request(IncomingCall call);
}

/// <summary>Hears what comes over a link.</summary>
internal interface ILinkListener : IServerListener
{
    /// <summary>The server has shown that it lives.</summary>
    void Heard();
}

/// <summary>
/// One connection, of whatever transport, from its opening to its end. Calls fail with a <see cref="RealtimeException"/>:
/// <c>disconnected</c> where the link broke, else what the server said.
/// </summary>
internal interface ILink : IAsyncDisposable
{
    /// <summary>What it is; may change from a stream to polls.</summary>
    Transport Transport { get; }

    /// <summary>Completes when the link is gone, with the server's reason if it gave one. Never fails.</summary>
    Task<RealtimeException?> Closed { get; }

    Task<SubscribeOutcome[]> SubscribeAsync(SubscribeRequest[] requests, CancellationToken cancellationToken);

    Task UnsubscribeAsync(string topic, CancellationToken cancellationToken);

    Task<PublishOutcome[]> PublishAsync(PublishRequest[] requests, CancellationToken cancellationToken);

    Task<HistoryReply> HistoryAsync(HistoryRequest request, CancellationToken cancellationToken);

    Task AcknowledgeAsync(AcknowledgeRequest request, CancellationToken cancellationToken);

    Task SetPresenceAsync(PresenceRequest request, CancellationToken cancellationToken);

    Task<PresencePage> ListPresenceAsync(PresencePageRequest request, CancellationToken cancellationToken);

    /// <summary>The handler's answer.</summary>
    Task<JsonElement> CallAsync(CallRequest request, CancellationToken cancellationToken);

    Task ReceiptsAsync(Receipt[] receipts, CancellationToken cancellationToken);

    /// <summary>Gives the living link a new token.</summary>
    Task RefreshAsync(string token, CancellationToken cancellationToken);

    /// <summary>A round trip: fails where nobody answers any more.</summary>
    Task ProbeAsync(CancellationToken cancellationToken);
}

/// <summary>A link over which others can ask something.</summary>
internal interface IHandlingLink : ILink
{
    Task HandleAsync(HandleRequest request, CancellationToken cancellationToken);

    Task UnhandleAsync(HandleRequest request, CancellationToken cancellationToken);

    Task ReplyAsync(ReplyRequest request, CancellationToken cancellationToken);
}
