using System.Buffers;
using System.Globalization;
using System.Text;

namespace RealtimeAspire.Server.Http;

/// <summary>Writes the frames of <c>text/event-stream</c>.</summary>
internal static class SseFrame
{
    /// <summary>A line that readers ignore; it keeps proxies from taking the stream for dead.</summary>
    public static void WriteComment(IBufferWriter<byte> output) => output.Write(":\n\n"u8);

    /// <summary>How long the reader waits before it comes back; part of the frame that follows.</summary>
    public static void WriteRetry(IBufferWriter<byte> output, int milliseconds) =>
        output.Write(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"retry: {milliseconds}\n")));

    /// <param name="output">Where to.</param>
    /// <param name="name">The kind of frame; empty for an event.</param>
    /// <param name="id">Where the stream is after it.</param>
    /// <param name="json">What it says.</param>
    public static void Write(IBufferWriter<byte> output, ReadOnlySpan<byte> name, StreamPosition id, ReadOnlySpan<byte> json)
    {
        if (!name.IsEmpty)
        {
            output.Write("event: "u8);
            output.Write(name);
            output.Write("\n"u8);
        }

        output.Write("id: "u8);
        id.WriteTo(output);
        // A payload may be spread over lines. Between JSON's tokens one line end is as good as another.
        for (var end = 0; end >= 0; json = json[(end + 1)..])
        {
            end = json.IndexOfAny((byte)'\r', (byte)'\n');
            output.Write("\ndata: "u8);
            output.Write(end < 0 ? json : json[..end]);
        }

        output.Write("\n\n"u8);
    }
}
