namespace RealtimeAspire.Server.Pipeline.Topics;

/// <summary>The section <c>Realtime:Events</c>.</summary>
internal sealed class EventOptions
{
    /// <summary>
    /// A folder of JSON Schemas of events, <c>{topic type}/{event}.v{version}.json</c>, from the application's content root on. Default: none.
    /// </summary>
    public string? Folder { get; set; }
}
