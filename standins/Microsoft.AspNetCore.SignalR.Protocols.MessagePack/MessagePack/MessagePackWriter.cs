using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace MessagePack;

/// <summary>Writes values one after the other, each in its shortest form. What is written is in the output after <see cref="Flush"/>.</summary>
public ref struct MessagePackWriter(IBufferWriter<byte> writer)
{
    private const int MaxShort = 1 + sizeof(ulong);

    private Span<byte> _room;
    private int _written;

    public void Flush()
    {
        if (_written > 0)
        {
            writer.Advance(_written);
        }

        _room = default;
        _written = 0;
    }

    public void WriteNil() => WriteCode(MessagePackCode.Nil);

    public void Write(bool value) => WriteCode(value ? MessagePackCode.True : MessagePackCode.False);

    public void Write(int value) => Write((long)value);

    public void Write(long value)
    {
        switch (value)
        {
            case >= 0:
                Write((ulong)value);
                break;
            case >= -32:
                WriteCode((byte)value);
                break;
            case >= sbyte.MinValue:
                WriteCode(MessagePackCode.Int8, (ulong)value, sizeof(sbyte));
                break;
            case >= short.MinValue:
                WriteCode(MessagePackCode.Int16, (ulong)value, sizeof(short));
                break;
            case >= int.MinValue:
                WriteCode(MessagePackCode.Int32, (ulong)value, sizeof(int));
                break;
            default:
                WriteCode(MessagePackCode.Int64, (ulong)value, sizeof(long));
                break;
        }
    }

    public void Write(ulong value)
    {
        switch (value)
        {
            case <= MessagePackCode.MaxFixInt:
                WriteCode((byte)value);
                break;
            case <= byte.MaxValue:
                WriteCode(MessagePackCode.UInt8, value, sizeof(byte));
                break;
            case <= ushort.MaxValue:
                WriteCode(MessagePackCode.UInt16, value, sizeof(ushort));
                break;
            case <= uint.MaxValue:
                WriteCode(MessagePackCode.UInt32, value, sizeof(uint));
                break;
            default:
                WriteCode(MessagePackCode.UInt64, value, sizeof(ulong));
                break;
        }
    }

    public void Write(double value) => WriteCode(MessagePackCode.Float64, BitConverter.DoubleToUInt64Bits(value), sizeof(double));

    /// <summary>As the timestamp extension, in the shortest of its three forms.</summary>
    public void Write(DateTime dateTime)
    {
        const int TimestampType = 0xff;
        var utc = dateTime.Kind is DateTimeKind.Local ? dateTime.ToUniversalTime() : dateTime;
        var (seconds, ticks) = Math.DivRem(utc.Ticks - DateTime.UnixEpoch.Ticks, TimeSpan.TicksPerSecond);
        if (ticks < 0)
        {
            (seconds, ticks) = (seconds - 1, ticks + TimeSpan.TicksPerSecond);
        }

        var nanoseconds = (ulong)(ticks * TimeSpan.NanosecondsPerTick);
        if (seconds >> 34 != 0)
        {
            WriteCode(MessagePackCode.Ext8, (12 << 8) | TimestampType, sizeof(ushort));
            WriteBigEndian(nanoseconds, sizeof(uint));
            WriteBigEndian((ulong)seconds, sizeof(long));
        }
        else if (nanoseconds != 0 || seconds > uint.MaxValue)
        {
            WriteCode(MessagePackCode.FixExt8, TimestampType, sizeof(byte));
            WriteBigEndian((nanoseconds << 34) | (ulong)seconds, sizeof(ulong));
        }
        else
        {
            WriteCode(MessagePackCode.FixExt4, TimestampType, sizeof(byte));
            WriteBigEndian((ulong)seconds, sizeof(uint));
        }
    }

    public void Write(string? value)
    {
        if (value is null)
        {
            WriteNil();
            return;
        }

        var length = Encoding.UTF8.GetByteCount(value);
        WriteStringHeader(length);
        Encoding.UTF8.GetBytes(value, Take(length));
    }

    public void WriteString(ReadOnlySpan<byte> utf8stringBytes)
    {
        WriteStringHeader(utf8stringBytes.Length);
        WriteRaw(utf8stringBytes);
    }

    private void WriteStringHeader(int byteCount)
    {
        const int MaxFixed = MessagePackCode.MaxFixStr - MessagePackCode.MinFixStr;
        if (byteCount is > MaxFixed and <= byte.MaxValue)
        {
            WriteCode(MessagePackCode.Str8, (ulong)byteCount, sizeof(byte));
        }
        else
        {
            WriteHeader(byteCount, MaxFixed, MessagePackCode.MinFixStr, MessagePackCode.Str16, MessagePackCode.Str32);
        }
    }

    public void WriteArrayHeader(int count) =>
        WriteHeader(count, MessagePackCode.MaxFixArray - MessagePackCode.MinFixArray, MessagePackCode.MinFixArray, MessagePackCode.Array16, MessagePackCode.Array32);

    public void WriteMapHeader(int count) =>
        WriteHeader(count, MessagePackCode.MaxFixMap - MessagePackCode.MinFixMap, MessagePackCode.MinFixMap, MessagePackCode.Map16, MessagePackCode.Map32);

    public void WriteRaw(ReadOnlySpan<byte> rawMessagePackBlock) => rawMessagePackBlock.CopyTo(Take(rawMessagePackBlock.Length));

    public void WriteRaw(in ReadOnlySequence<byte> rawMessagePackBlock)
    {
        foreach (var segment in rawMessagePackBlock)
        {
            WriteRaw(segment.Span);
        }
    }

    private void WriteHeader(int count, int maxFixed, byte firstFixed, byte of16Bits, byte of32Bits)
    {
        if (count <= maxFixed)
        {
            WriteCode((byte)(firstFixed + count));
        }
        else if (count <= ushort.MaxValue)
        {
            WriteCode(of16Bits, (ulong)count, sizeof(ushort));
        }
        else
        {
            WriteCode(of32Bits, (ulong)count, sizeof(uint));
        }
    }

    private void WriteCode(byte code) => Take(1)[0] = code;

    private void WriteCode(byte code, ulong value, int bytes)
    {
        WriteCode(code);
        WriteBigEndian(value, bytes);
    }

    private void WriteBigEndian(ulong value, int bytes)
    {
        Span<byte> all = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64BigEndian(all, value);
        all[^bytes..].CopyTo(Take(bytes));
    }

    private Span<byte> Take(int bytes)
    {
        if (_room.Length - _written < bytes)
        {
            Flush();
            _room = writer.GetSpan(Math.Max(bytes, MaxShort));
        }

        var taken = _room.Slice(_written, bytes);
        _written += bytes;
        return taken;
    }
}
