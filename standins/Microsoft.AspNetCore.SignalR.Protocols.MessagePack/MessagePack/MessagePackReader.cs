using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace MessagePack;

/// <summary>
/// Reads values one after the other. What a length promises has to be there: <see cref="EndOfStreamException"/> otherwise, before
/// anything is allocated for it. Another kind of value than asked for is a <see cref="MessagePackSerializationException"/>.
/// </summary>
public ref struct MessagePackReader
{
    // A code that no byte has: there is no such form.
    private const int None = -1;

    private SequenceReader<byte> _reader;

    public MessagePackReader(ReadOnlyMemory<byte> memory)
        : this(new ReadOnlySequence<byte>(memory))
    {
    }

    public MessagePackReader(scoped in ReadOnlySequence<byte> readOnlySequence)
    {
        _reader = new SequenceReader<byte>(readOnlySequence);
        Depth = 0;
    }

    public int Depth { get; set; }

    public readonly long Consumed => _reader.Consumed;

    public readonly MessagePackType NextMessagePackType => MessagePackCode.ToMessagePackType(NextCode);

    public readonly byte NextCode => _reader.TryPeek(out var code) ? code : throw new EndOfStreamException();

    public bool TryReadNil()
    {
        if (NextCode != MessagePackCode.Nil)
        {
            return false;
        }

        _reader.Advance(1);
        return true;
    }

    public bool ReadBoolean() => ReadCode() switch
    {
        MessagePackCode.True => true,
        MessagePackCode.False => false,
        var code => throw Unexpected(code),
    };

    public int ReadInt32() => checked((int)ReadInteger());

    public long ReadInt64() => checked((long)ReadInteger());

    public ulong ReadUInt64() => checked((ulong)ReadInteger());

    public double ReadDouble()
    {
        switch (NextCode)
        {
            case MessagePackCode.Float32:
                _reader.Advance(1);
                return BitConverter.UInt32BitsToSingle((uint)ReadBigEndian(sizeof(float)));
            case MessagePackCode.Float64:
                _reader.Advance(1);
                return BitConverter.UInt64BitsToDouble(ReadBigEndian(sizeof(double)));
            default:
                return (double)ReadInteger();
        }
    }

    public int ReadArrayHeader()
    {
        var count = ReadArrayLength();
        return count <= _reader.Remaining ? (int)count : throw new EndOfStreamException();
    }

    public int ReadMapHeader()
    {
        var count = ReadMapLength();
        return count * 2 <= _reader.Remaining ? (int)count : throw new EndOfStreamException();
    }

    public string? ReadString() => TryReadNil() ? null : Encoding.UTF8.GetString(ReadRaw(ReadStringLength()));

    public ReadOnlySequence<byte>? ReadStringSequence() => TryReadNil() ? null : ReadRaw(ReadStringLength());

    public bool TryReadStringSpan(out ReadOnlySpan<byte> span)
    {
        var start = this;
        span = default;
        if (NextCode == MessagePackCode.Nil)
        {
            return false;
        }

        var text = ReadRaw(ReadStringLength());
        if (!text.IsSingleSegment)
        {
            this = start;
            return false;
        }

        span = text.FirstSpan;
        return true;
    }

    public ReadOnlySequence<byte>? ReadBytes()
    {
        if (TryReadNil())
        {
            return null;
        }

        // A string will do as well.
        return ReadRaw(NextMessagePackType is MessagePackType.Binary ? ReadBinaryLength() : ReadStringLength());
    }

    public ExtensionResult ReadExtensionFormat()
    {
        var length = ReadExtensionLength();
        var type = (sbyte)ReadCode();
        return new ExtensionResult(type, ReadRaw(length));
    }

    /// <summary>The next value with all that is in it.</summary>
    public ReadOnlySequence<byte> ReadRaw()
    {
        var start = _reader.Position;
        Skip();
        return _reader.Sequence.Slice(start, _reader.Position);
    }

    public ReadOnlySequence<byte> ReadRaw(long length)
    {
        if (length > _reader.Remaining)
        {
            throw new EndOfStreamException();
        }

        var raw = _reader.UnreadSequence.Slice(0, length);
        _reader.Advance(length);
        return raw;
    }

    /// <summary>Over the next value with all that is in it, however deep: a count of what is still to come, and no stack.</summary>
    public void Skip()
    {
        for (var values = 1L; values > 0; values--)
        {
            switch (NextMessagePackType)
            {
                case MessagePackType.Nil or MessagePackType.Boolean:
                    _reader.Advance(1);
                    break;
                case MessagePackType.Integer:
                    ReadInteger();
                    break;
                case MessagePackType.Float:
                    ReadDouble();
                    break;
                case MessagePackType.String:
                    ReadRaw(ReadStringLength());
                    break;
                case MessagePackType.Binary:
                    ReadRaw(ReadBinaryLength());
                    break;
                case MessagePackType.Array:
                    values = checked(values + ReadArrayLength());
                    break;
                case MessagePackType.Map:
                    values = checked(values + (ReadMapLength() * 2));
                    break;
                case MessagePackType.Extension:
                    ReadExtensionFormat();
                    break;
                default:
                    throw Unexpected(NextCode);
            }
        }
    }

    private static MessagePackSerializationException Unexpected(byte code) =>
        new($"Unexpected msgpack code {code} ({MessagePackCode.ToMessagePackType(code)}) encountered.");

    private long ReadStringLength() =>
        ReadLength(MessagePackCode.MinFixStr, MessagePackCode.MaxFixStr, MessagePackCode.Str8, MessagePackCode.Str16, MessagePackCode.Str32);

    private long ReadBinaryLength() => ReadLength(None, None, MessagePackCode.Bin8, MessagePackCode.Bin16, MessagePackCode.Bin32);

    private long ReadArrayLength() =>
        ReadLength(MessagePackCode.MinFixArray, MessagePackCode.MaxFixArray, None, MessagePackCode.Array16, MessagePackCode.Array32);

    private long ReadMapLength() =>
        ReadLength(MessagePackCode.MinFixMap, MessagePackCode.MaxFixMap, None, MessagePackCode.Map16, MessagePackCode.Map32);

    private long ReadExtensionLength()
    {
        if (NextCode is not (>= MessagePackCode.FixExt1 and <= MessagePackCode.FixExt16))
        {
            return ReadLength(None, None, MessagePackCode.Ext8, MessagePackCode.Ext16, MessagePackCode.Ext32);
        }

        return 1L << (ReadCode() - MessagePackCode.FixExt1);
    }

    private long ReadLength(int first, int last, int of8Bits, int of16Bits, int of32Bits)
    {
        var code = ReadCode();
        if (code >= first && code <= last)
        {
            return code - first;
        }

        return code == of8Bits ? (long)ReadBigEndian(sizeof(byte))
            : code == of16Bits ? (long)ReadBigEndian(sizeof(ushort))
            : code == of32Bits ? (long)ReadBigEndian(sizeof(uint))
            : throw Unexpected(code);
    }

    private Int128 ReadInteger() => ReadCode() switch
    {
        <= MessagePackCode.MaxFixInt and var code => code,
        >= MessagePackCode.MinNegativeFixInt and var code => (sbyte)code,
        MessagePackCode.UInt8 => ReadBigEndian(sizeof(byte)),
        MessagePackCode.UInt16 => ReadBigEndian(sizeof(ushort)),
        MessagePackCode.UInt32 => ReadBigEndian(sizeof(uint)),
        MessagePackCode.UInt64 => ReadBigEndian(sizeof(ulong)),
        MessagePackCode.Int8 => (sbyte)ReadBigEndian(sizeof(sbyte)),
        MessagePackCode.Int16 => (short)ReadBigEndian(sizeof(short)),
        MessagePackCode.Int32 => (int)ReadBigEndian(sizeof(int)),
        MessagePackCode.Int64 => (long)ReadBigEndian(sizeof(long)),
        var code => throw Unexpected(code),
    };

    private byte ReadCode() => _reader.TryRead(out var code) ? code : throw new EndOfStreamException();

    private ulong ReadBigEndian(int bytes)
    {
        Span<byte> value = stackalloc byte[sizeof(ulong)];
        value.Clear();
        if (!_reader.TryCopyTo(value[^bytes..]))
        {
            throw new EndOfStreamException();
        }

        _reader.Advance(bytes);
        return BinaryPrimitives.ReadUInt64BigEndian(value);
    }
}
