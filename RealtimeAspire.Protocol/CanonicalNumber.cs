using System.Buffers;
using System.Globalization;
using System.Text;

namespace RealtimeAspire.Protocol;

/// <summary>Numbers as RFC 8785 writes them, which is how JavaScript does: the shortest digits that mean the same double.</summary>
internal static class CanonicalNumber
{
    private const int MaxDigits = 17;
    private const int MaxExponentDigits = 5;
    private const int MaxPlain = 21;
    private const int MinPlain = -6;

    /// <param name="token">A number of JSON.</param>
    /// <param name="output">Where it is written.</param>
    /// <exception cref="RealtimeException">
    /// <c>payload_invalid</c>: it says more than a double holds. Two payloads that differ in it would have one signature.
    /// </exception>
    public static void Write(ReadOnlySpan<byte> token, IBufferWriter<byte> output)
    {
        Span<byte> given = stackalloc byte[MaxDigits];
        Span<byte> shortest = stackalloc byte[MaxDigits];
        Span<byte> text = stackalloc byte[32];
        if (!TryRead(token, given, out var count, out var exponent)
            || !double.TryParse(token, NumberStyles.Float, CultureInfo.InvariantCulture, out var value)
            || !double.IsFinite(value)
            || !value.TryFormat(text, out var length, "R", CultureInfo.InvariantCulture)
            || !TryRead(text[..length], shortest, out var shortestCount, out var shortestExponent)
            || exponent != shortestExponent
            || !given[..count].SequenceEqual(shortest[..shortestCount]))
        {
            throw new RealtimeException(ErrorCode.PayloadInvalid, "A number that is more exact than a double cannot be signed; make it a text.");
        }

        if (value < 0)
        {
            output.Write("-"u8);
        }

        Write(given[..count], exponent, output);
    }

    /// <param name="digits">Without zeros at either end.</param>
    /// <param name="exponent">The number is 0.digits times ten to the power of it.</param>
    /// <param name="output">Where it is written.</param>
    private static void Write(ReadOnlySpan<byte> digits, int exponent, IBufferWriter<byte> output)
    {
        if (digits.IsEmpty)
        {
            output.Write("0"u8);
        }
        else if (exponent >= digits.Length && exponent <= MaxPlain)
        {
            output.Write(digits);
            WriteZeros(exponent - digits.Length, output);
        }
        else if (exponent > 0 && exponent <= MaxPlain)
        {
            WriteWithPoint(digits, exponent, output);
        }
        else if (exponent > MinPlain && exponent <= 0)
        {
            output.Write("0."u8);
            WriteZeros(-exponent, output);
            output.Write(digits);
        }
        else
        {
            WriteWithPoint(digits, 1, output);
            output.Write(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"e{exponent - 1:+0;-0}")));
        }
    }

    private static void WriteWithPoint(ReadOnlySpan<byte> digits, int at, IBufferWriter<byte> output)
    {
        output.Write(digits[..at]);
        if (digits.Length > at)
        {
            output.Write("."u8);
            output.Write(digits[at..]);
        }
    }

    private static void WriteZeros(int count, IBufferWriter<byte> output)
    {
        for (; count > 0; count--)
        {
            output.Write("0"u8);
        }
    }

    /// <summary>Takes a number apart. False: it has more digits than a double tells apart.</summary>
    private static bool TryRead(ReadOnlySpan<byte> number, Span<byte> digits, out int count, out int exponent)
    {
        (count, exponent) = (0, 0);
        var end = number.IndexOfAny((byte)'e', (byte)'E');
        var (zeros, isFraction) = (0, false);
        foreach (var character in number[..(end < 0 ? number.Length : end)])
        {
            if (character is (byte)'.')
            {
                isFraction = true;
            }
            else if (character is (byte)'0' && count == 0)
            {
                exponent -= isFraction ? 1 : 0;
            }
            else if (character is not (byte)'-')
            {
                exponent += isFraction ? 0 : 1;
                if (character is (byte)'0')
                {
                    zeros++;
                    continue;
                }

                if (count + zeros >= MaxDigits)
                {
                    return false;
                }

                digits.Slice(count, zeros).Fill((byte)'0');
                digits[count + zeros] = character;
                (count, zeros) = (count + zeros + 1, 0);
            }
        }

        if (count == 0)
        {
            exponent = 0;
            return true;
        }

        return end < 0 || TryAdd(number[(end + 1)..], ref exponent);
    }

    private static bool TryAdd(ReadOnlySpan<byte> power, ref int exponent)
    {
        var digits = power.TrimStart("+-"u8).TrimStart("0"u8);
        if (digits.Length > MaxExponentDigits)
        {
            return false;
        }

        var value = digits.IsEmpty ? 0 : int.Parse(digits, NumberStyles.None, CultureInfo.InvariantCulture);
        exponent += power[0] is (byte)'-' ? -value : value;
        return true;
    }
}
