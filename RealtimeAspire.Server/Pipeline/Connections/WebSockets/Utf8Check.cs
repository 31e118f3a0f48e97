using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace RealtimeAspire.Server.Pipeline.Connections.WebSockets;

/// <summary>Whether bytes that come in pieces are UTF-8. Keeps the beginning of a character that a piece has cut.</summary>
internal struct Utf8Check
{
    private const int LongestCharacter = 4;

    private uint _begun;
    private int _begunBytes;

    /// <param name="piece">The next bytes.</param>
    /// <param name="isLast">Nothing may be cut here.</param>
    public bool TryTake(ReadOnlySpan<byte> piece, bool isLast)
    {
        if (_begunBytes > 0 && !TryComplete(ref piece))
        {
            return false;
        }

        // A character that was begun before is complete, or the piece was too short for it.
        if (_begunBytes == 0)
        {
            var cut = CutLength(piece);
            if (!Utf8.IsValid(piece[..^cut]))
            {
                return false;
            }

            foreach (var next in piece[^cut..])
            {
                Begin(next);
            }
        }

        return !isLast || _begunBytes == 0;
    }

    private bool TryComplete(ref ReadOnlySpan<byte> piece)
    {
        Span<byte> character = stackalloc byte[LongestCharacter];
        while (piece.Length > 0)
        {
            Begin(piece[0]);
            piece = piece[1..];
            for (var i = 0; i < _begunBytes; i++)
            {
                character[i] = (byte)(_begun >> (8 * i));
            }

            switch (Rune.DecodeFromUtf8(character[.._begunBytes], out _, out _))
            {
                case OperationStatus.Done:
                    (_begun, _begunBytes) = (0, 0);
                    return true;
                case OperationStatus.InvalidData:
                    return false;
            }
        }

        return true;
    }

    private void Begin(byte next)
    {
        _begun |= (uint)next << (8 * _begunBytes);
        _begunBytes++;
    }

    /// <summary>How many bytes at the end are the beginning of a character, as far as can be seen.</summary>
    private static int CutLength(ReadOnlySpan<byte> piece)
    {
        for (var length = 1; length < LongestCharacter && length <= piece.Length; length++)
        {
            var tail = piece[^length..];
            if ((tail[0] & 0xC0) == 0x80)
            {
                continue;
            }

            return Rune.DecodeFromUtf8(tail, out _, out _) == OperationStatus.NeedMoreData ? length : 0;
        }

        return 0;
    }
}
