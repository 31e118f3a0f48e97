using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json.Serialization;

namespace RealtimeAspire.Protocol;

/// <summary>
/// A place in a topic's log: every event up to and including <see cref="Offset"/> of the incarnation <see cref="Epoch"/>.
/// </summary>
/// <remarks>
/// Offsets are 1, 2, 3 … per topic. The epoch names one incarnation of the log; without it a reader that comes back after
/// a reset would miss events silently. A topic without events is at <see cref="Origin"/>; resuming from there means from
/// the first event on.
/// </remarks>
public readonly record struct Position
{
    /// <summary>The most characters an epoch has.</summary>
    public const int MaxEpochLength = 64;

    /// <summary>Before the first event of any incarnation.</summary>
    public static readonly Position Origin = new("", 0);

    private readonly string? _epoch;

    /// <summary>Makes a position.</summary>
    /// <param name="epoch">The log's incarnation; empty only with offset 0.</param>
    /// <param name="offset">0 or more.</param>
    [JsonConstructor]
    public Position(string? epoch, long offset) => (_epoch, Offset) = (epoch, offset);

    /// <summary>The log's incarnation. Opaque: letters and digits, compared ordinally.</summary>
    public string Epoch => _epoch ?? "";

    /// <summary>The offset of the last event that lies before or at this position; 0 before the first.</summary>
    public long Offset { get; }

    /// <summary>Reads the text form <c>epoch:offset</c>, for example <c>x7Qa:17</c>.</summary>
    /// <param name="text">Untrusted input.</param>
    /// <param name="position">The position, where the result is true. It still may not exist.</param>
    public static bool TryParse([NotNullWhen(true)] string? text, out Position position)
    {
        position = default;
        var colon = text?.IndexOf(':', StringComparison.Ordinal) ?? -1;
        if (text is null || colon < 0
            || !long.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var offset))
        {
            return false;
        }

        position = new Position(text[..colon], offset);
        return position.IsWellFormed;
    }

    /// <summary>Whether this could be a position: an offset of 0 or more, and an epoch unless the offset is 0.</summary>
    [JsonIgnore]
    public bool IsWellFormed =>
        Offset >= 0 && Epoch.Length <= MaxEpochLength && (Epoch.Length > 0 || Offset == 0) && !Epoch.Contains(':', StringComparison.Ordinal);

    /// <summary>Same epoch and offset.</summary>
    /// <param name="other">The other position.</param>
    public bool Equals(Position other) =>
        Offset == other.Offset && string.Equals(Epoch, other.Epoch, StringComparison.Ordinal);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Epoch, Offset);

    /// <summary>The text form <c>epoch:offset</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Epoch}:{Offset}");
}
