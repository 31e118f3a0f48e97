using System.Buffers;

namespace Microsoft.AspNetCore.SignalR.Protocol;

/// <summary>The length before each message: seven bits a byte, the lowest first, the eighth bit where more follow.</summary>
internal static class MessageLength
{
    private const int MaxBytes = 5;

    /// <summary>Takes a whole message from the input.</summary>
    /// <exception cref="FormatException">It says that it has 2 GB or more.</exception>
    public static bool TryReadMessage(ref ReadOnlySequence<byte> input, out ReadOnlySequence<byte> message)
    {
        message = default;
        var reader = new SequenceReader<byte>(input);
        var length = 0L;
        for (var i = 0; i < MaxBytes; i++)
        {
            if (!reader.TryRead(out var next))
            {
                return false;
            }

            length |= (next & 0x7FL) << (7 * i);
            if ((next & 0x80) == 0)
            {
                break;
            }

            if (i == MaxBytes - 1)
            {
                length = long.MaxValue;
            }
        }

        if (length > int.MaxValue)
        {
            throw new FormatException("Messages over 2GB in size are not supported.");
        }

        if (reader.Remaining < length)
        {
            return false;
        }

        message = reader.UnreadSequence.Slice(0, length);
        input = input.Slice(message.End);
        return true;
    }

    /// <summary>Writes it into so many bytes as are returned.</summary>
    public static int Write(int length, Span<byte> output)
    {
        var written = 0;
        for (; length > 0x7f; length >>= 7)
        {
            output[written++] = (byte)(length | 0x80);
        }

        output[written++] = (byte)length;
        return written;
    }

    public static void Write(int length, IBufferWriter<byte> output) => output.Advance(Write(length, output.GetSpan(MaxBytes)));
}
