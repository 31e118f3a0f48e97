using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Features.Canvas;

/// <summary>Surfaces on which people draw together: strokes and notes on <c>canvas:*</c>. <c>docs/canvas.md</c> has all of it.</summary>
public static class CanvasFeature
{
    internal const string Type = "canvas";
    internal const string StrokeEvent = "canvas:stroke";
    internal const string NoteEvent = "canvas:note";
    internal const string ChangeEvent = "canvas:change";
    internal const string RemoveEvent = "canvas:remove";
    internal const string ClearEvent = "canvas:clear";

    /// <summary>
    /// Lets clients draw on <c>canvas:*</c>: durable topics with presence, on which nothing else is published. The settings below
    /// <c>Realtime:TopicTypes:canvas</c> count before that. Comes before <c>AddPresence</c>, which looks for types that want it.
    /// </summary>
    /// <param name="realtime">What <c>AddRealtime()</c> returned.</param>
    public static RealtimeBuilder AddCanvas(this RealtimeBuilder realtime)
    {
        ArgumentNullException.ThrowIfNull(realtime);
        var type = $"{RealtimeOptions.Section}:{nameof(RealtimeOptions.TopicTypes)}:{Type}";
        return realtime
            .SetDefault($"{type}:{nameof(TopicTypeOptions.Presence)}", "true")
            .SetDefault($"{type}:{nameof(TopicTypeOptions.UnknownEvents)}", nameof(UnknownEvents.Refuse))
            .AddEvent(Type, StrokeEvent, CanvasEventJson.Default.CanvasStroke, fromClients: true)
            .AddEvent(Type, NoteEvent, CanvasEventJson.Default.CanvasNote, fromClients: true)
            .AddEvent(Type, ChangeEvent, CanvasEventJson.Default.CanvasChange, fromClients: true)
            .AddEvent(Type, RemoveEvent, CanvasEventJson.Default.CanvasRemove, fromClients: true)
            .AddEvent(Type, ClearEvent, CanvasEventJson.Default.CanvasClear, fromClients: true);
    }
}
