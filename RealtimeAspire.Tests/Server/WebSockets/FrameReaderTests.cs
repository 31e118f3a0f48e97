using System.Text;
using FsCheck;
using FsCheck.Fluent;
using RealtimeAspire.Server.Pipeline.Connections.WebSockets;

namespace RealtimeAspire.Tests.Server.WebSockets;

/// <summary>RFC 6455, case by case; those of the Autobahn test suite are a guide. And whatever comes, in pieces of any size.</summary>
public sealed class FrameReaderTests
{
    private const int MaxMessageBytes = 200_000;
    private const int MaxAllocated = 8 * 1024;

    /// <summary>What is sent, and what is read of it: messages (m), pings (p) and closes (c), or the code with which it ends.</summary>
    public static TheoryData<string, byte[][], string> Cases() => new()
    {
        // Messages of one frame, of every form of length.
        { "empty text", [ClientFrames.Text("")], "m''" },
        { "text", [ClientFrames.Text("hello")], "m'hello'" },
        { "125 bytes", [ClientFrames.Text(Long(125))], $"m'{Long(125)}'" },
        { "126 bytes", [ClientFrames.Text(Long(126))], $"m'{Long(126)}'" },
        { "65,535 bytes", [ClientFrames.Text(Long(65_535))], $"m'{Long(65_535)}'" },
        { "65,536 bytes", [ClientFrames.Text(Long(65_536))], $"m'{Long(65_536)}'" },
        { "binary", [ClientFrames.Of(Opcode.Binary, "hello"u8)], "m'hello'" },
        { "several", [ClientFrames.Text("a"), ClientFrames.Of(Opcode.Binary, "b"u8), ClientFrames.Text("c")], "m'a' m'b' m'c'" },

        // Control frames.
        { "empty ping", [ClientFrames.Of(Opcode.Ping, [])], "p''" },
        { "ping with payload", [ClientFrames.Of(Opcode.Ping, "payload"u8)], "p'payload'" },
        { "ping that is no text", [ClientFrames.Of(Opcode.Ping, [0xff, 0xfe])], "p'\ufffd\ufffd'" },
        { "longest ping", [ClientFrames.Of(Opcode.Ping, Bytes(125))], $"p'{Long(125)}'" },
        { "ping too long", [ClientFrames.Of(Opcode.Ping, Bytes(126))], "1002" },
        { "pong without a ping", [ClientFrames.Of(Opcode.Pong, "unsolicited"u8), ClientFrames.Text("a")], "o'unsolicited' m'a'" },
        { "ping in parts", [ClientFrames.Of(Opcode.Ping, "a"u8, final: false)], "1002" },
        { "ping continued", [ClientFrames.Of(Opcode.Ping, "a"u8, final: false), ClientFrames.Of(Opcode.Continuation, "b"u8)], "1002" },
        { "longest length of a ping", [ClientFrames.Of(0x89, Bytes(5), lengthBytes: 2)], "1002" },

        // Reserved bits and opcodes.
        { "rsv1", [ClientFrames.Of(0xc1, "a"u8)], "1002" },
        { "rsv2", [ClientFrames.Of(0xa1, "a"u8)], "1002" },
        { "rsv3", [ClientFrames.Of(0x91, "a"u8)], "1002" },
        { "rsv on a ping", [ClientFrames.Of(0xc9, "a"u8)], "1002" },
        { "rsv on a close", [ClientFrames.Of(0xf8, [])], "1002" },
        { "opcode 3", [ClientFrames.Of(0x83, [])], "1002" },
        { "opcode 4", [ClientFrames.Text("a"), ClientFrames.Of(0x84, "x"u8)], "m'a' 1002" },
        { "opcode 5", [ClientFrames.Of(0x85, [])], "1002" },
        { "opcode 6", [ClientFrames.Of(0x86, [])], "1002" },
        { "opcode 7", [ClientFrames.Of(0x87, [])], "1002" },
        { "opcode 11", [ClientFrames.Of(0x8b, [])], "1002" },
        { "opcode 12", [ClientFrames.Of(0x8c, [])], "1002" },
        { "opcode 13", [ClientFrames.Of(0x8d, [])], "1002" },
        { "opcode 14", [ClientFrames.Of(0x8e, [])], "1002" },
        { "opcode 15", [ClientFrames.Of(0x8f, [])], "1002" },

        // Fragmentation.
        { "two parts", [ClientFrames.Text("a", final: false), ClientFrames.Of(Opcode.Continuation, "b"u8)], "m'ab'" },
        { "empty parts", [ClientFrames.Text("", final: false), ClientFrames.Of(Opcode.Continuation, [], final: false), ClientFrames.Of(Opcode.Continuation, [])], "m''" },
        { "a ping between parts", [ClientFrames.Text("a", final: false), ClientFrames.Of(Opcode.Ping, "x"u8), ClientFrames.Of(Opcode.Continuation, "b"u8)], "p'x' m'ab'" },
        { "a close between parts", [ClientFrames.Text("a", final: false), ClientFrames.Close(1000)], "c1000''" },
        { "nothing to continue", [ClientFrames.Of(Opcode.Continuation, "a"u8)], "1002" },
        { "nothing to continue, more to come", [ClientFrames.Of(Opcode.Continuation, "a"u8, final: false)], "1002" },
        { "nothing to continue any more", [ClientFrames.Text("a", final: false), ClientFrames.Of(Opcode.Continuation, "b"u8), ClientFrames.Of(Opcode.Continuation, "c"u8)], "m'ab' 1002" },
        { "a text within a text", [ClientFrames.Text("a", final: false), ClientFrames.Text("b")], "1002" },
        { "a binary within a text", [ClientFrames.Text("a", final: false), ClientFrames.Of(Opcode.Binary, "b"u8)], "1002" },

        // Masks and lengths.
        { "no mask", [[0x81, 0x01, 0x61]], "1002" },
        { "no mask on a close", [[0x88, 0x00]], "1002" },
        { "16 bits for a short length", [ClientFrames.Of(0x81, Bytes(125), lengthBytes: 2)], "1002" },
        { "64 bits for a short length", [ClientFrames.Of(0x81, Bytes(65_535), lengthBytes: 8)], "1002" },
        { "negative length", [[0x81, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]], "1002" },
        { "too long before any of it is there", [[0x82, 0xff, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]], "1009" },
        { "longest", [ClientFrames.Text(Long(MaxMessageBytes))], $"m'{Long(MaxMessageBytes)}'" },
        { "one byte too long", [ClientFrames.Text(Long(MaxMessageBytes + 1))], "1009" },
        { "too long in parts", [ClientFrames.Text(Long(MaxMessageBytes), final: false), ClientFrames.Of(Opcode.Continuation, "x"u8)], "1009" },
        { "the longest twice", [ClientFrames.Text(Long(MaxMessageBytes)), ClientFrames.Text(Long(MaxMessageBytes))], $"m'{Long(MaxMessageBytes)}' m'{Long(MaxMessageBytes)}'" },

        // UTF-8.
        { "all lengths of characters", [ClientFrames.Text("aé€\U00010348")], "m'aé€\U00010348'" },
        { "a character over two parts", [ClientFrames.Of(Opcode.Text, [0xe2, 0x82], final: false), ClientFrames.Of(Opcode.Continuation, [0xac])], "m'€'" },
        { "a character over four parts", [ClientFrames.Of(Opcode.Text, [0xf0], final: false), ClientFrames.Of(Opcode.Continuation, [0x90], final: false), ClientFrames.Of(Opcode.Continuation, [0x8d], final: false), ClientFrames.Of(Opcode.Continuation, [0x88])], "m'\U00010348'" },
        { "a character with a ping in it", [ClientFrames.Of(Opcode.Text, [0xe2, 0x82], final: false), ClientFrames.Of(Opcode.Ping, [0xff]), ClientFrames.Of(Opcode.Continuation, [0xac])], "p'\ufffd' m'€'" },
        { "a character that does not end", [ClientFrames.Of(Opcode.Text, [0x61, 0xe2, 0x82])], "1007" },
        { "a character that does not begin", [ClientFrames.Of(Opcode.Text, [0x61, 0x80])], "1007" },
        { "a wrong byte, before the message ends", [ClientFrames.Of(Opcode.Text, [0xff], final: false)], "1007" },
        { "a wrong continuation in the next part", [ClientFrames.Of(Opcode.Text, [0xe2], final: false), ClientFrames.Of(Opcode.Continuation, [0x28], final: false)], "1007" },
        { "overlong", [ClientFrames.Of(Opcode.Text, [0xc0, 0xaf])], "1007" },
        { "half of a surrogate", [ClientFrames.Of(Opcode.Text, [0xed, 0xa0, 0x80])], "1007" },
        { "beyond Unicode", [ClientFrames.Of(Opcode.Text, [0xf4, 0x90, 0x80, 0x80])], "1007" },
        { "beyond Unicode, byte by byte", [ClientFrames.Of(Opcode.Text, [0xf4], final: false), ClientFrames.Of(Opcode.Continuation, [0x90], final: false)], "1007" },
        { "binary may be anything", [ClientFrames.Of(Opcode.Binary, [0x7f])], "m'\u007f'" },

        // Closes.
        { "close without a code", [ClientFrames.Of(Opcode.Close, [])], "c''" },
        { "close", [ClientFrames.Close(1000, "bye")], "c1000'bye'" },
        { "longest reason", [ClientFrames.Close(1000, Long(123))], $"c1000'{Long(123)}'" },
        { "reason too long", [ClientFrames.Close(1000, Long(124))], "1002" },
        { "half a code", [ClientFrames.Of(Opcode.Close, [0x03])], "1002" },
        { "reason that is not UTF-8", [ClientFrames.Of(Opcode.Close, [0x03, 0xe8, 0xff])], "1007" },
        { "close 0", [ClientFrames.Close(0)], "1002" },
        { "close 999", [ClientFrames.Close(999)], "1002" },
        { "close 1003", [ClientFrames.Close(1003)], "c1003''" },
        { "close 1004", [ClientFrames.Close(1004)], "1002" },
        { "close 1005", [ClientFrames.Close(1005)], "1002" },
        { "close 1006", [ClientFrames.Close(1006)], "1002" },
        { "close 1007", [ClientFrames.Close(1007)], "c1007''" },
        { "close 1014", [ClientFrames.Close(1014)], "c1014''" },
        { "close 1015", [ClientFrames.Close(1015)], "1002" },
        { "close 1100", [ClientFrames.Close(1100)], "1002" },
        { "close 2999", [ClientFrames.Close(2999)], "1002" },
        { "close 3000", [ClientFrames.Close(3000)], "c3000''" },
        { "close 4999", [ClientFrames.Close(4999)], "c4999''" },
        { "close 5000", [ClientFrames.Close(5000)], "1002" },
        { "close 65535", [ClientFrames.Close(65_535)], "1002" },
    };

    [Theory]
    [MemberData(nameof(Cases), DisableDiscoveryEnumeration = true)]
    public void Each_case_is_read_as_the_RFC_has_it_however_it_is_cut(string name, byte[][] frames, string expected)
    {
        byte[] sent = [.. frames.SelectMany(frame => frame)];
        Assert.NotEmpty(name);

        Assert.Equal(expected, Read(sent, () => int.MaxValue));
        Assert.Equal(expected, Read(sent, () => 1));
        Assert.Equal(expected, Read(sent, () => 7));
    }

    [Fact]
    public void A_frame_that_is_wrong_is_refused_by_its_first_two_bytes()
    {
        byte[][] beginnings = [[0x83, 0x80], [0xc1, 0x85], [0x81, 0x05], [0x89, 0xfe], [0x09, 0x80], [0x80, 0x80]];

        Assert.All(beginnings, begin => Assert.Equal("1002", Read(begin, () => int.MaxValue)));
    }

    [Fact]
    public void Text_is_checked_as_a_whole_however_it_is_cut() => Prop.ForAll<byte[], int>((bytes, seed) =>
    {
        var (random, check) = (new Random(seed), default(Utf8Check));
        var rest = bytes.AsSpan();
        var isValid = true;
        do
        {
            var piece = rest[..random.Next(rest.Length + 1)];
            rest = rest[piece.Length..];
            isValid = check.TryTake(piece, isLast: rest.IsEmpty);
        }
        while (isValid && !rest.IsEmpty);

        return isValid == System.Text.Unicode.Utf8.IsValid(bytes);
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(2_000).WithArbitrary([typeof(Utf8Like)]));

    [Fact]
    public void What_comes_is_read_or_refused_with_a_code_however_it_is_cut_and_takes_no_memory()
    {
        // The long run; otherwise a glance.
        var count = Environment.GetEnvironmentVariable("REALTIME_LONG") == "1" ? 10_000_000 : 100_000;
        var seed = Random.Shared.Next();
        var random = new Random(seed);
        var endings = new HashSet<string>(StringComparer.Ordinal);
        for (var frames = 0; frames < count;)
        {
            var (stream, made) = FrameMill.Make(random);
            frames += made;
            var whole = Read(stream, () => int.MaxValue);
            Assert.True(whole == Read(stream, () => 1 + random.Next(20)), $"It depends on how the stream is cut, with seed {seed}.");
            Assert.True(AllocatedBy(stream) < MaxAllocated, $"It takes memory for what may never come, with seed {seed}.");
            endings.Add(whole.Split(' ')[^1] is { Length: 4 } code && int.TryParse(code, out _) ? code : "none");
        }

        Assert.Equal(["1002", "1007", "1009", "none"], endings.Order(StringComparer.Ordinal));
    }

    /// <summary>What a reader takes for all of it, with the exception that may end it.</summary>
    private static long AllocatedBy(byte[] sent)
    {
        var rest = sent.AsSpan();
        var before = GC.GetAllocatedBytesForCurrentThread();
        var reader = new FrameReader(MaxMessageBytes);
        try
        {
            while (reader.TryRead(ref rest, out _))
            {
            }
        }
        catch (FrameException)
        {
            // As it may be.
        }

        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    private static string Long(int bytes) => new('x', bytes);

    private static byte[] Bytes(int count) => [.. Enumerable.Repeat((byte)'x', count)];

    /// <summary>Reads it in pieces, and tells what was read.</summary>
    private static string Read(byte[] sent, Func<int> piece)
    {
        var reader = new FrameReader(MaxMessageBytes);
        var read = new List<string>();
        var message = new List<byte>();
        var bytes = sent.ToArray();
        try
        {
            for (var at = 0; at < bytes.Length;)
            {
                var length = Math.Min(piece(), bytes.Length - at);
                var rest = bytes.AsSpan(at, length);
                at += length;
                while (reader.TryRead(ref rest, out var next))
                {
                    if (Tell(next, message) is { } told)
                    {
                        read.Add(told);
                    }
                }

                Assert.True(rest.IsEmpty);
            }
        }
        catch (FrameException violation)
        {
            read.Add($"{(int)violation.Code}");
        }

        return string.Join(' ', read);
    }

    private static string? Tell(FramePiece piece, List<byte> message)
    {
        switch (piece.Kind)
        {
            case Opcode.Ping:
                return $"p'{Encoding.UTF8.GetString(piece.Payload)}'";
            case Opcode.Pong:
                return $"o'{Encoding.UTF8.GetString(piece.Payload)}'";
            case Opcode.Close:
                return piece.Payload.Length == 0 ? "c''" : $"c{(piece.Payload[0] << 8) | piece.Payload[1]}'{Encoding.UTF8.GetString(piece.Payload[2..])}'";
            default:
                message.AddRange(piece.Payload);
                if (!piece.EndsMessage)
                {
                    return null;
                }

                var told = $"m'{Encoding.UTF8.GetString([.. message])}'";
                message.Clear();
                return told;
        }
    }

    /// <summary>Bytes that are often UTF-8, and often nearly so.</summary>
    private static class Utf8Like
    {
        private static readonly byte[][] Parts = [[0x61], [0xc3, 0xa9], [0xe2, 0x82, 0xac], [0xf0, 0x90, 0x8d, 0x88], [0xed, 0x9f, 0xbf], [0xf4, 0x8f, 0xbf, 0xbf], [0xed, 0xa0, 0x80], [0xc0], [0x80], [0xe2, 0x82], [0xf4, 0x90]];

        public static Arbitrary<byte[]> Bytes() => Gen.Elements(Parts).ListOf().Select(parts => parts.SelectMany(part => part).ToArray()).ToArbitrary();
    }
}
