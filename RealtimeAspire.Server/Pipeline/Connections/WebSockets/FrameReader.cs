using System.Buffers.Binary;
using System.Text.Unicode;

namespace RealtimeAspire.Server.Pipeline.Connections.WebSockets;

/// <summary>A piece of what a client has sent.</summary>
/// <param name="kind"><see cref="Opcode.Text"/> or <see cref="Opcode.Binary"/>: a part of a message; else a whole control frame.</param>
/// <param name="payload">Unmasked; in the buffer that was given, or in one of the reader's until its next call.</param>
/// <param name="endsMessage">With it a message, or a control frame, is complete.</param>
internal readonly ref struct FramePiece(Opcode kind, ReadOnlySpan<byte> payload, bool endsMessage)
{
    public Opcode Kind { get; } = kind;

    public ReadOnlySpan<byte> Payload { get; } = payload;

    public bool EndsMessage { get; } = endsMessage;
}

/// <summary>
/// Reads what one client sends as frames of RFC 6455, strictly, from pieces of any size. Keeps a few bytes between them, and never
/// a message: its parts go on as they come, and where messages end is not the business of the protocol above, which has
/// marks of its own.
/// </summary>
/// <param name="maxMessageBytes">A message that says that it is longer ends the connection before any of it is taken.</param>
internal sealed class FrameReader(long maxMessageBytes)
{
    private const int MaxControlBytes = 125;
    private const int LongestHeader = 14;

    private readonly byte[] _header = new byte[LongestHeader];
    private byte[]? _control;
    private int _headerBytes;
    private Utf8Check _text;

    // Of the frame whose payload is being read.
    private bool _inPayload;
    private Opcode _opcode;
    private bool _final;
    private ulong _mask;
    private long _left;
    private int _controlBytes;

    // Of the message that is not complete.
    private Opcode _message;
    private long _messageBytes;

    /// <summary>Takes the next piece from the input.</summary>
    /// <param name="input">What has come; unmasked in place, and moved on over what was read.</param>
    /// <param name="piece">A part of a message, which may be empty, or a control frame.</param>
    /// <returns>False: there is none until more has come, and the input is empty.</returns>
    /// <exception cref="FrameException">The client does not keep to the protocol. Nothing more is to be read.</exception>
    public bool TryRead(ref Span<byte> input, out FramePiece piece)
    {
        piece = default;
        if (!_inPayload && !TryReadHeader(ref input))
        {
            return false;
        }

        var take = (int)Math.Min(_left, input.Length);
        if (take == 0 && _left > 0)
        {
            return false;
        }

        var payload = input[..take];
        input = input[take..];
        _left -= take;
        Unmask(payload);
        return _opcode >= Opcode.Close ? TryTakeControl(payload, out piece) : TakeData(payload, out piece);
    }

    private bool TryReadHeader(ref Span<byte> input)
    {
        while (true)
        {
            var needed = _headerBytes < 2 ? 2 : HeaderLength();
            var take = Math.Min(needed - _headerBytes, input.Length);
            input[..take].CopyTo(_header.AsSpan(_headerBytes));
            input = input[take..];
            _headerBytes += take;
            if (_headerBytes < needed)
            {
                return false;
            }

            if (needed == 2)
            {
                // What is wrong is said before the rest of the header has come.
                RequireForm();
            }
            else
            {
                BeginPayload();
                return true;
            }
        }
    }

    private int HeaderLength() => (_header[1] & 0x7F) switch
    {
        127 => LongestHeader,
        126 => 8,
        _ => 6,
    };

    private void RequireForm()
    {
        var (final, opcode, length) = ((_header[0] & 0x80) != 0, (Opcode)(_header[0] & 0x0F), _header[1] & 0x7F);
        if ((_header[0] & 0x70) != 0)
        {
            throw new FrameException(CloseCode.ProtocolError, "A reserved bit is set, and no extension was agreed.");
        }

        if ((_header[1] & 0x80) == 0)
        {
            throw new FrameException(CloseCode.ProtocolError, "A client's frame has to be masked.");
        }

        switch (opcode)
        {
            case Opcode.Close or Opcode.Ping or Opcode.Pong when !final || length > MaxControlBytes:
                throw new FrameException(CloseCode.ProtocolError, "A control frame is whole and has at most 125 bytes.");
            case Opcode.Close or Opcode.Ping or Opcode.Pong:
                break;
            case Opcode.Continuation when _message == Opcode.Continuation:
                throw new FrameException(CloseCode.ProtocolError, "There is no message to continue.");
            case Opcode.Text or Opcode.Binary when _message != Opcode.Continuation:
                throw new FrameException(CloseCode.ProtocolError, "A message began before the last one had ended.");
            case Opcode.Continuation or Opcode.Text or Opcode.Binary:
                break;
            default:
                throw new FrameException(CloseCode.ProtocolError, "There is no such frame.");
        }
    }

    private void BeginPayload()
    {
        var length = (long)(_header[1] & 0x7F);
        if (length == 126)
        {
            length = BinaryPrimitives.ReadUInt16BigEndian(_header.AsSpan(2));
            RequireShortest(length > MaxControlBytes);
        }
        else if (length == 127)
        {
            length = BinaryPrimitives.ReadInt64BigEndian(_header.AsSpan(2));
            RequireShortest(length > ushort.MaxValue);
        }

        (_opcode, _final) = ((Opcode)(_header[0] & 0x0F), (_header[0] & 0x80) != 0);
        if (_opcode < Opcode.Close)
        {
            if (length > maxMessageBytes - _messageBytes)
            {
                throw new FrameException(CloseCode.TooLarge, $"A message has at most {maxMessageBytes} bytes.");
            }

            _messageBytes += length;
            if (_opcode != Opcode.Continuation)
            {
                _message = _opcode;
            }
        }

        var mask = BinaryPrimitives.ReadUInt32LittleEndian(_header.AsSpan(_headerBytes - sizeof(uint)));
        (_mask, _left, _controlBytes, _headerBytes, _inPayload) = (mask | ((ulong)mask << 32), length, 0, 0, true);
    }

    private static void RequireShortest(bool isShortest)
    {
        if (!isShortest)
        {
            throw new FrameException(CloseCode.ProtocolError, "A length has to be written in the shortest form, and not negative.");
        }
    }

    /// <summary>Exclusive or with the mask, which turns with the bytes that were done.</summary>
    private void Unmask(Span<byte> payload)
    {
        var mask = _mask;
        var rest = payload;
        while (rest.Length >= sizeof(ulong))
        {
            BinaryPrimitives.WriteUInt64LittleEndian(rest, BinaryPrimitives.ReadUInt64LittleEndian(rest) ^ mask);
            rest = rest[sizeof(ulong)..];
        }

        for (var i = 0; i < rest.Length; i++)
        {
            rest[i] ^= (byte)(mask >> (8 * i));
        }

        _mask = System.Numerics.BitOperations.RotateRight(mask, 8 * (payload.Length % 4));
    }

    private bool TakeData(Span<byte> payload, out FramePiece piece)
    {
        var kind = _message;
        var ends = _final && _left == 0;
        if (kind == Opcode.Text && !_text.TryTake(payload, ends))
        {
            throw new FrameException(CloseCode.InvalidData, "A text message is not UTF-8.");
        }

        _inPayload = _left > 0;
        if (ends)
        {
            (_message, _messageBytes) = (Opcode.Continuation, 0);
        }

        piece = new FramePiece(kind, payload, ends);
        return true;
    }

    private bool TryTakeControl(Span<byte> payload, out FramePiece piece)
    {
        _inPayload = _left > 0;
        if (_controlBytes == 0 && _left == 0)
        {
            piece = new FramePiece(_opcode, payload, endsMessage: true);
        }
        else
        {
            _control ??= new byte[MaxControlBytes];
            payload.CopyTo(_control.AsSpan(_controlBytes));
            _controlBytes += payload.Length;
            piece = new FramePiece(_opcode, _control.AsSpan(0, _controlBytes), endsMessage: true);
        }

        if (_left > 0)
        {
            return false;
        }

        if (_opcode == Opcode.Close)
        {
            RequireClose(piece.Payload);
        }

        return true;
    }

    private static void RequireClose(ReadOnlySpan<byte> payload)
    {
        if (payload.Length == 0)
        {
            return;
        }

        if (payload.Length == 1 || !IsSendable(BinaryPrimitives.ReadUInt16BigEndian(payload)))
        {
            throw new FrameException(CloseCode.ProtocolError, "There is no such close code.");
        }

        if (!Utf8.IsValid(payload[2..]))
        {
            throw new FrameException(CloseCode.InvalidData, "The reason of a close is not UTF-8.");
        }
    }

    /// <summary>Codes that may stand in a frame: those that are registered, and those of libraries and applications.</summary>
    private static bool IsSendable(int code) => code is (>= 1000 and <= 1003) or (>= 1007 and <= 1014) or (>= 3000 and <= 4999);
}
