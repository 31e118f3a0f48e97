using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace RealtimeAspire.Server.Features.Canvas;

/// <summary>The payload of <c>canvas:stroke</c>.</summary>
[Description("A line that somebody has drawn. entity_id is its name, which its publisher makes.")]
internal sealed record CanvasStroke(
    [property: Length(2, 1_024), Description("x and y of each of its points, one after the other.")] double[] Points,
    [property: StringLength(32, MinimumLength = 1), Description("One of ink, red, orange, yellow, green, teal, blue and purple; another one is drawn as ink.")] string Colour,
    [property: Range(0.5, 64), Description("How wide it is.")] double Width);

/// <summary>The payload of <c>canvas:note</c>.</summary>
[Description("A note that somebody has placed. entity_id is its name, which its publisher makes.")]
internal sealed record CanvasNote(
    [property: StringLength(500, MinimumLength = 1), Description("Plain text.")] string Text,
    [property: Description("Of its upper left corner.")] double X,
    [property: Description("Of its upper left corner.")] double Y,
    [property: StringLength(32, MinimumLength = 1), Description("As that of a stroke.")] string Colour);

/// <summary>The payload of <c>canvas:change</c>.</summary>
[Description("Moves the note that entity_id names, or gives it another text. What is missing stays as it is.")]
internal sealed record CanvasChange(
    [property: StringLength(500, MinimumLength = 1), Description("Plain text.")] string? Text = null,
    [property: Description("Of its upper left corner.")] double? X = null,
    [property: Description("Of its upper left corner.")] double? Y = null);

/// <summary>The payload of <c>canvas:remove</c>.</summary>
[Description("Takes back the stroke or note that entity_id names, by who has made it.")]
internal sealed record CanvasRemove;

/// <summary>The payload of <c>canvas:clear</c>.</summary>
[Description("Takes away everything that was there before.")]
internal sealed record CanvasClear;

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(CanvasStroke))]
[JsonSerializable(typeof(CanvasNote))]
[JsonSerializable(typeof(CanvasChange))]
[JsonSerializable(typeof(CanvasRemove))]
[JsonSerializable(typeof(CanvasClear))]
internal sealed partial class CanvasEventJson : JsonSerializerContext;
