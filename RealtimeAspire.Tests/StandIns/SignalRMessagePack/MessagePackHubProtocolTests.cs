using System.Buffers;
using System.Globalization;
using FsCheck;
using FsCheck.Fluent;
using MessagePack;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Protocol;
using Microsoft.Extensions.DependencyInjection;

namespace RealtimeAspire.Tests.StandIns.SignalRMessagePack;

public sealed class MessagePackHubProtocolTests
{
    private const int MaxAllocated = 64 * 1024;

    private static readonly MessagePackHubProtocol Protocol = new();

    private static readonly IInvocationBinder Binder = new TestBinder();

    /// <summary>The examples of the specification of SignalR's hub protocol, with what they say.</summary>
    private static readonly (string Bytes, string Message)[] Known =
    [
        ("960180a378797aa66d6574686f64912a90", "Invocation xyz method(42)"),
        ("960180c0a66d6574686f64912a90", "Invocation - method(42)"),
        ("960480a378797aa66d6574686f64912a90", "StreamInvocation xyz method(42)"),
        ("940280a378797a2a", "StreamItem xyz 42"),
        ("950380a378797a01a54572726f72", "Completion xyz error Error"),
        ("940380a378797a02", "Completion xyz void"),
        ("950380a378797a032a", "Completion xyz result 42"),
        ("930580a378797a", "CancelInvocation xyz"),
        ("9106", "Ping"),
        ("9307a378797ac3", "Close xyz again"),
        ("9207a378797a", "Close xyz"),
        ("9208cc24", "Ack 36"),
        ("9209cc13", "Sequence 19"),
        ("960182a178a179a17aa17aa378797aa66d6574686f64912a90", "{x=y,z=z} Invocation xyz method(42)"),
        ("960180a378797aa66d6574686f64912a92a161a162", "Invocation xyz method(42) <a,b>"),
        // Without streams, as clients of old.
        ("950180a378797aa66d6574686f64912a", "Invocation xyz method(42)"),
    ];

    public static TheoryData<string, string> Examples() => new(Known);

    [Theory]
    [MemberData(nameof(Examples))]
    public void The_examples_of_the_specification_are_read(string bytes, string message) => Assert.Equal([message], ReadAll(Framed(bytes)));

    [Theory]
    [MemberData(nameof(Examples))]
    public void And_written_where_they_are_in_the_form_of_today(string bytes, string message)
    {
        var read = Framed(bytes);
        Assert.True(Protocol.TryParseMessage(ref read, Binder, out var parsed));

        var written = Protocol.GetMessageBytes(parsed);
        var output = new ArrayBufferWriter<byte>();
        Protocol.WriteMessage(parsed, output);

        Assert.Equal(written.ToArray(), output.WrittenSpan.ToArray());
        Assert.Equal([message], ReadAll(new ReadOnlySequence<byte>(written)));
        // Of lengths that may be written in two ways, and of members that may be left out, these are the long forms.
        if (!bytes.StartsWith("95018", StringComparison.Ordinal) && !bytes.StartsWith("9207", StringComparison.Ordinal) && !bytes.Contains("cc", StringComparison.Ordinal))
        {
            Assert.Equal(Framed(bytes).ToArray(), written.ToArray());
        }
    }

    [Fact]
    public void A_message_of_tomorrow_is_passed_over()
    {
        var input = Framed("92636363", "9106");

        Assert.False(Protocol.TryParseMessage(ref input, Binder, out _));
        Assert.Equal(["Ping"], ReadAll(input));
    }

    [Theory]
    [InlineData(0x7f, "7f")]
    [InlineData(0x80, "8001")]
    [InlineData(0x3fff, "ff7f")]
    [InlineData(0x4000, "808001")]
    [InlineData(200_000, "c09a0c")]
    public void A_length_has_seven_bits_a_byte_the_lowest_first(int length, string prefix)
    {
        const int BeforeResult = 6;
        var result = new RawResult(new ReadOnlySequence<byte>(new byte[length - BeforeResult]));

        var message = Protocol.GetMessageBytes(new CompletionMessage("x", error: null, result, hasResult: true));

        Assert.Equal(prefix, Convert.ToHexStringLower(message.Span[..^length]));
        Assert.Equal(["Completion x result 0"], ReadAll(new ReadOnlySequence<byte>(message)));
    }

    [Theory]
    [InlineData("8080808080")]
    [InlineData("ffffffff0f")]
    [InlineData("ffffffff7f")]
    [InlineData("ffffffffff")]
    [InlineData("8080808008")]
    public void A_message_of_two_gigabytes_is_refused_before_it_has_come(string bytes)
    {
        var input = new ReadOnlySequence<byte>(Convert.FromHexString(bytes));

        Assert.Throws<FormatException>(() => Protocol.TryParseMessage(ref input, Binder, out _));
    }

    [Fact]
    public void What_is_written_is_read_again() => Prop.ForAll(Messages(), message =>
    {
        var bytes = Protocol.GetMessageBytes(message);
        var (all, cut) = (ReadAll(new ReadOnlySequence<byte>(bytes)), ReadAll(InPieces(bytes)));
        return all.SequenceEqual([Say(message)], StringComparer.Ordinal) && cut.SequenceEqual(all, StringComparer.Ordinal);
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Several_in_one_buffer_are_read_one_after_the_other() => Prop.ForAll(Messages().Generator.ArrayOf().ToArbitrary(), messages =>
    {
        var bytes = messages.SelectMany(message => Protocol.GetMessageBytes(message).ToArray()).ToArray();
        return ReadAll(new ReadOnlySequence<byte>(bytes)).SequenceEqual(messages.Select(Say), StringComparer.Ordinal);
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void What_has_not_come_to_its_end_is_waited_for() => Prop.ForAll(Messages(), message =>
    {
        var bytes = Protocol.GetMessageBytes(message);
        for (var length = 0; length < bytes.Length; length++)
        {
            var input = new ReadOnlySequence<byte>(bytes[..length]);
            if (Protocol.TryParseMessage(ref input, Binder, out _) || input.Length != length)
            {
                return false;
            }
        }

        return true;
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Whatever_comes_costs_no_more_than_what_came()
    {
        var count = Environment.GetEnvironmentVariable("REALTIME_LONG") == "1" ? 5_000_000 : 50_000;
        var seed = Environment.TickCount;
        var random = new Random(seed);
        var examples = Known.Select(example => Framed(example.Bytes).ToArray()).ToArray();
        var read = 0;
        for (var i = 0; i < count; i++)
        {
            var bytes = (byte[])examples[random.Next(examples.Length)].Clone();
            for (var changes = random.Next(4); changes >= 0; changes--)
            {
                bytes[random.Next(i % 3 == 0 ? 0 : 1, bytes.Length)] = (byte)(random.Next(4) == 0 ? random.Next(0xc0, 0xe0) : random.Next(256));
            }

            var before = GC.GetAllocatedBytesForCurrentThread();
            var input = new ReadOnlySequence<byte>(bytes);
            try
            {
                read += Protocol.TryParseMessage(ref input, Binder, out _) ? 1 : 0;
            }
            catch (Exception exception) when (exception is InvalidDataException or FormatException or EndOfStreamException or MessagePackSerializationException or ArgumentException)
            {
                // One of those that the real protocol throws.
            }

            Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < MaxAllocated, $"{Convert.ToHexString(bytes)}, seed {seed}");
        }

        Assert.InRange(read, count / 100, count);
    }

    [Theory]
    // An argument, a string, an array, a map, bytes, an extension: each says that it has 2^32 - 1 elements or bytes.
    [InlineData("960180a378797aa66d6574686f64dd ffffffff")]
    [InlineData("960180a378797aa66d6574686f6491db ffffffff")]
    [InlineData("960180db ffffffff")]
    [InlineData("960180a378797aa66d6574686f6491dd ffffffff")]
    [InlineData("960180a378797aa66d6574686f6491df ffffffff")]
    [InlineData("960180a378797aa66d6574686f6491c6 ffffffff")]
    [InlineData("960180a378797aa66d6574686f6491c9 ffffffff01")]
    [InlineData("dd ffffffff")]
    [InlineData("9601df ffffffff")]
    public void A_length_that_is_not_there_costs_nothing(string bytes)
    {
        var input = Framed(bytes);
        var before = GC.GetAllocatedBytesForCurrentThread();

        try
        {
            Assert.IsType<InvocationBindingFailureMessage>(Protocol.TryParseMessage(ref input, Binder, out var message) ? message : null);
        }
        catch (Exception exception) when (exception is InvalidDataException or EndOfStreamException)
        {
            // Not even the arguments were reached.
        }

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, MaxAllocated);
    }

    [Theory]
    [InlineData(0x91)]
    [InlineData(0x81)]
    public void Depth_takes_no_stack(byte container)
    {
        const int Levels = 1_000_000;
        // To an invocation that nobody has made: it is passed over.
        byte[] start = [0x95, 0x03, 0x80, 0xa1, (byte)'?', 0x03];
        var levels = Enumerable.Repeat<byte[]>(container == 0x91 ? [container] : [container, 0xa0], Levels).SelectMany(level => level);
        byte[] message = [.. start, .. levels, 0xc0];
        var input = new ReadOnlySequence<byte>([.. Prefix(message.Length), .. message]);

        Assert.True(Protocol.TryParseMessage(ref input, Binder, out var read));
        Assert.Equal("Completion ? result ", Say(read));
    }

    [Theory]
    [InlineData("960180a378797aa66d6574686f6491a161", "xyz", "method")]
    [InlineData("960180c0a66d6574686f649290", "", "method")]
    [InlineData("960180a378797aa5 6f74686572912a90", "xyz", "other")]
    [InlineData("950180a378797aa66d6574686f64", "xyz", "method")]
    [InlineData("960480a378797aa66d6574686f6491c1", "xyz", "method")]
    public void Arguments_that_do_not_fit_are_told_in_their_place(string bytes, string id, string target)
    {
        var input = Framed(bytes, "9106");

        Assert.True(Protocol.TryParseMessage(ref input, Binder, out var message));

        var failure = Assert.IsType<InvocationBindingFailureMessage>(message);
        Assert.Equal((id, target), (failure.InvocationId ?? "", failure.Target));
        Assert.Equal(["Ping"], ReadAll(input));
    }

    [Fact]
    public void So_is_an_item_that_does_not_fit()
    {
        var input = Framed("940280a378797aa161");

        Assert.True(Protocol.TryParseMessage(ref input, Binder, out var message));

        Assert.Equal("xyz", Assert.IsType<StreamBindingFailureMessage>(message).Id);
    }

    [Fact]
    public void Integers_have_the_shortest_form() => Prop.ForAll<long, int>((number, shift) =>
    {
        var value = number >> (shift & 63);
        var output = new ArrayBufferWriter<byte>();
        var writer = new MessagePackWriter(output);
        writer.Write(value);
        writer.Write((ulong)value);
        writer.Flush();
        var reader = new MessagePackReader(output.WrittenMemory);
        var same = reader.ReadInt64() == value;
        var length = reader.Consumed;
        return same && reader.ReadUInt64() == (ulong)value && length == value switch
        {
            >= -32 and <= 127 => 1,
            >= sbyte.MinValue and <= byte.MaxValue => 2,
            >= short.MinValue and <= ushort.MaxValue => 3,
            >= int.MinValue and <= uint.MaxValue => 5,
            _ => 9,
        };
    }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData("1970-01-01T00:00:00Z", "d6ff00000000")]
    [InlineData("2106-02-07T06:28:15Z", "d6ffffffffff")]
    [InlineData("2106-02-07T06:28:16Z", "d7ff0000000100000000")]
    [InlineData("1970-01-01T00:00:00.001Z", "d7ff003d090000000000")]
    [InlineData("1969-12-31T23:59:59.500Z", "c70cff1dcd6500ffffffffffffffff")]
    [InlineData("9999-12-31T23:59:59Z", "c70cff000000000000003afff4417f")]
    public void A_time_is_the_timestamp_extension_in_its_shortest_form(string time, string bytes)
    {
        var output = new ArrayBufferWriter<byte>();
        var writer = new MessagePackWriter(output);
        writer.Write(DateTimeOffset.Parse(time, CultureInfo.InvariantCulture).UtcDateTime);
        writer.Flush();

        Assert.Equal(bytes, Convert.ToHexStringLower(output.WrittenSpan));
    }

    [Fact]
    public void The_protocol_is_registered_once_beside_others()
    {
        var services = new ServiceCollection();
        services.AddSignalR().AddMessagePackProtocol().AddMessagePackProtocol(options => options.SerializerOptions = MessagePackSerializerOptions.Standard);

        using var provider = services.BuildServiceProvider();

        Assert.Equal(["json", "messagepack"], provider.GetServices<IHubProtocol>().Select(protocol => protocol.Name));
    }

    private static Arbitrary<HubMessage> Messages()
    {
        var text = Gen.Elements("", "x", "xyz", "é€\U0001f600", new string('x', 40), new string('y', 300), new string('z', 70_000));
        var id = text.Where(value => value.Length > 0);
        var number = Gen.Choose(int.MinValue, int.MaxValue);
        var headers = Gen.OneOf(Gen.Constant<Dictionary<string, string>?>(null), Gen.Zip(id, id).Select(pair => (Dictionary<string, string>?)new() { [pair.Item1] = pair.Item2 }));
        var streams = Gen.OneOf(Gen.Constant<string[]?>(null), id.Select(stream => (string[]?)[stream, "b"]));
        var calls =
            from name in id
            from argument in number
            from ids in streams
            from known in id
            from map in headers
            from kind in Gen.Choose(0, 2)
            select kind switch
            {
                0 => (HubMessage)new InvocationMessage(null, "method", [argument], ids) { Headers = map },
                1 => new InvocationMessage(known, "method", [argument], ids) { Headers = map },
                _ => new StreamInvocationMessage(known, "method", [argument], ids) { Headers = map },
            };
        var answers =
            from name in id
            from value in number
            from error in text
            from map in headers
            from kind in Gen.Choose(0, 7)
            select kind switch
            {
                0 => (HubMessage)new StreamItemMessage(name, value) { Headers = map },
                1 => new CompletionMessage(name, error, result: null, hasResult: false) { Headers = map },
                2 => new CompletionMessage(name, error: null, result: null, hasResult: false) { Headers = map },
                3 => new CompletionMessage(name, error: null, value, hasResult: true) { Headers = map },
                4 => new CancelInvocationMessage(name) { Headers = map },
                5 => new CloseMessage(name, allowReconnect: value > 0),
                6 => new AckMessage(value),
                _ => new SequenceMessage(value),
            };
        return Gen.OneOf(calls, answers, Gen.Constant<HubMessage>(PingMessage.Instance)).ToArbitrary();
    }

    private static string Say(HubMessage message)
    {
        var headers = message is HubInvocationMessage { Headers: { Count: > 0 } given } ? $"{{{string.Join(',', given.Select(pair => $"{pair.Key}={pair.Value}"))}}} " : "";
        return headers + message switch
        {
            HubMethodInvocationMessage call =>
                $"{call.GetType().Name[..^7]} {call.InvocationId ?? "-"} {call.Target}({string.Join(',', call.Arguments)})" + (call.StreamIds is { Length: > 0 } ids ? $" <{string.Join(',', ids)}>" : ""),
            StreamItemMessage item => $"StreamItem {item.InvocationId} {item.Item}",
            CompletionMessage { Error: { } error } completion => $"Completion {completion.InvocationId} error {error}",
            CompletionMessage { HasResult: true } completion => $"Completion {completion.InvocationId} result {completion.Result}",
            CompletionMessage completion => $"Completion {completion.InvocationId} void",
            CancelInvocationMessage cancel => $"CancelInvocation {cancel.InvocationId}",
            PingMessage => "Ping",
            CloseMessage close => $"Close {close.Error}{(close.AllowReconnect ? " again" : "")}",
            AckMessage ack => $"Ack {ack.SequenceId}",
            SequenceMessage sequence => $"Sequence {sequence.SequenceId}",
            _ => message.GetType().Name,
        };
    }

    private static List<string> ReadAll(ReadOnlySequence<byte> input)
    {
        List<string> messages = [];
        while (Protocol.TryParseMessage(ref input, Binder, out var message))
        {
            messages.Add(Say(message));
        }

        Assert.Equal(0, input.Length);
        return messages;
    }

    private static ReadOnlySequence<byte> Framed(params string[] messages) => new(messages
        .Select(message => Convert.FromHexString(message.Replace(" ", "", StringComparison.Ordinal)))
        .SelectMany(message => (byte[])[.. Prefix(message.Length), .. message]).ToArray());

    private static List<byte> Prefix(int length)
    {
        List<byte> prefix = [];
        for (; length > 0x7f; length >>= 7)
        {
            prefix.Add((byte)(length | 0x80));
        }

        return [.. prefix, (byte)length];
    }

    private static ReadOnlySequence<byte> InPieces(ReadOnlyMemory<byte> bytes)
    {
        var first = new Piece(bytes[..Math.Min(1, bytes.Length)], null);
        var last = first;
        for (var at = 1; at < bytes.Length;)
        {
            var length = Math.Min(bytes.Length - at, 1 + (at % 7) + (at > 100 ? 1_000 : 0));
            last = new Piece(bytes.Slice(at, length), last);
            at += length;
        }

        return new ReadOnlySequence<byte>(first, 0, last, last.Memory.Length);
    }

    private sealed class Piece : ReadOnlySequenceSegment<byte>
    {
        public Piece(ReadOnlyMemory<byte> memory, Piece? before)
        {
            Memory = memory;
            if (before is not null)
            {
                before.Next = this;
                RunningIndex = before.RunningIndex + before.Memory.Length;
            }
        }
    }

    /// <summary>One method, with one number.</summary>
    private sealed class TestBinder : IInvocationBinder
    {
        public IReadOnlyList<Type> GetParameterTypes(string methodName) => methodName == "method" ? [typeof(int)] : throw new HubException("No such method.");

        public Type GetReturnType(string invocationId) => invocationId == "?" ? throw new InvalidOperationException("No such invocation.") : typeof(int);

        public Type GetStreamItemType(string streamId) => typeof(int);
    }
}
