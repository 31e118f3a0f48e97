using System.Buffers.Text;
using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace RealtimeAspire.Benchmarks.Load;

/// <summary>
/// Payloads of an exact size that say who sent them, as which of his messages, and when. Every server passes them on as they
/// are, so they are found in whatever is around them.
/// </summary>
internal static class PayloadStamp
{
    private const int SenderDigits = 4, SequenceDigits = 8, TimeDigits = 18;
    private const int StampLength = SenderDigits + 1 + SequenceDigits + 1 + TimeDigits;

    private static ReadOnlySpan<byte> Mark => "\"stamp\":\""u8;

    /// <param name="bytes">The payload's size, 70 or more.</param>
    /// <param name="sender">0 to 9,999.</param>
    /// <param name="sequence">0, 1, 2 … of this sender.</param>
    /// <param name="sentAt">When it was due, as a timestamp of <see cref="Stopwatch"/>.</param>
    public static byte[] Make(int bytes, int sender, int sequence, long sentAt)
    {
        var stamp = string.Create(CultureInfo.InvariantCulture, $"{sender:D4}.{sequence:D8}.{sentAt:D18}");
        var start = $"{{\"stamp\":\"{stamp}\",\"text\":\"";
        return Encoding.ASCII.GetBytes(start + new string('x', bytes - start.Length - 2) + "\"}");
    }

    /// <summary>Finds the next stamp and moves behind it.</summary>
    public static bool TryNext(ref ReadOnlySpan<byte> message, out int sender, out int sequence, out long sentAt)
    {
        (sender, sequence, sentAt) = (0, 0, 0);
        var at = message.IndexOf(Mark);
        if (at < 0 || message.Length < at + Mark.Length + StampLength)
            return false;
        var stamp = message.Slice(at + Mark.Length, StampLength);
        message = message[(at + Mark.Length + StampLength)..];
        return Utf8Parser.TryParse(stamp[..SenderDigits], out sender, out _)
            && Utf8Parser.TryParse(stamp.Slice(SenderDigits + 1, SequenceDigits), out sequence, out _)
            && Utf8Parser.TryParse(stamp[(StampLength - TimeDigits)..], out sentAt, out _);
    }
}
