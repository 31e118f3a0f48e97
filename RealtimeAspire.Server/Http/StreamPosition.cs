using System.Buffers;
using System.Globalization;
using System.Text;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Http;

/// <summary>
/// Where a stream is in each of its topics: <c>0=epoch:offset,1=…</c>, by the topic's place in the request. It is the id of
/// the stream's frames, and what a reader that comes back begins with.
/// </summary>
internal sealed class StreamPosition
{
    public const int MaxBytes = 4 * 1024;

    private readonly Position[] _positions;
    private readonly byte[][] _texts;

    public StreamPosition(IEnumerable<Position> positions)
    {
        _positions = [.. positions];
        _texts = [.. _positions.Select((position, topic) => ToText(topic, position))];
    }

    public int Bytes => _texts.Sum(text => text.Length) + _texts.Length - 1;

    public Position this[int topic]
    {
        get => _positions[topic];
        set => (_positions[topic], _texts[topic]) = (value, ToText(topic, value));
    }

    public void WriteTo(IBufferWriter<byte> output)
    {
        for (var topic = 0; topic < _texts.Length; topic++)
        {
            if (topic > 0)
            {
                output.Write(","u8);
            }

            output.Write(_texts[topic]);
        }
    }

    /// <summary>Reads the positions of so many topics, each once.</summary>
    /// <param name="text">Untrusted.</param>
    /// <param name="topics">How many topics the stream has.</param>
    /// <exception cref="RealtimeException"><c>position_invalid</c>.</exception>
    public static Position[] Parse(string text, int topics)
    {
        var parts = text.Split(',', topics + 1);
        var positions = new Position?[topics];
        foreach (var part in parts)
        {
            var equals = part.IndexOf('=', StringComparison.Ordinal);
            if (equals < 0
                || !int.TryParse(part.AsSpan(0, equals), NumberStyles.None, CultureInfo.InvariantCulture, out var topic)
                || topic >= topics
                || positions[topic] is not null
                || !Position.TryParse(part[(equals + 1)..], out var position))
            {
                throw Invalid();
            }

            positions[topic] = position;
        }

        return parts.Length == topics ? [.. positions.Select(position => position!.Value)] : throw Invalid();
    }

    private static byte[] ToText(int topic, Position position) => Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{topic}={position}"));

    private static RealtimeException Invalid() =>
        new(ErrorCode.PositionInvalid, "The last event id is none of this stream: 0=epoch:offset,1=… for each of its topics.");
}
