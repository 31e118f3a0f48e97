using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using RealtimeAspire.Server.Pipeline.Connections.WebSockets;

namespace RealtimeAspire.Tests.Server.WebSockets;

public sealed class SocketWriterTests : IAsyncLifetime
{
    private readonly Socket _listener = new(SocketType.Stream, ProtocolType.Tcp);
    private readonly Socket _client = new(SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 4096 };
    private Socket? _server;

    public async ValueTask InitializeAsync()
    {
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen();
        await _client.ConnectAsync(_listener.LocalEndPoint!, TestContext.Current.CancellationToken);
        _server = await _listener.AcceptAsync(TestContext.Current.CancellationToken);
        _server.SendBufferSize = 4096;
    }

    public ValueTask DisposeAsync()
    {
        _server?.Dispose();
        _client.Dispose();
        _listener.Dispose();
        return ValueTask.CompletedTask;
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Frames_of_many_writers_arrive_whole(bool direct)
    {
        const int Writers = 8;
        const int Frames = 50;
        const int Bytes = 5_000;
        var writer = Writer(direct);

        var writing = Task.WhenAll(Enumerable.Range(1, Writers).Select(number => Task.Run(async () =>
        {
            for (var i = 0; i < Frames; i++)
            {
                await writer.WriteAsync(Enumerable.Repeat((byte)number, Bytes).ToArray());
            }
        })));

        using var stream = new NetworkStream(_client);
        var counts = new int[Writers + 1];
        var frame = new byte[Bytes];
        for (var i = 0; i < Writers * Frames; i++)
        {
            await stream.ReadExactlyAsync(frame, TestContext.Current.CancellationToken);
            Assert.Equal(-1, frame.AsSpan().IndexOfAnyExcept(frame[0]));
            counts[frame[0]]++;
        }

        await writing;
        Assert.All(counts[1..], count => Assert.Equal(Frames, count));
        Assert.Equal(TimeSpan.Zero, writer.Delay);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Behind_a_frame_that_broke_off_follows_no_other(bool direct)
    {
        var writer = Writer(direct);
        var large = writer.WriteAsync(new byte[64 * 1024 * 1024]).AsTask();
        await Until.TrueAsync(() => writer.Delay > TimeSpan.FromMilliseconds(20));
        var waiting = writer.WriteAsync(new byte[10]).AsTask();

        _client.Dispose();

        await Assert.ThrowsAnyAsync<Exception>(() => large);
        await Assert.ThrowsAsync<IOException>(() => waiting);
        await Assert.ThrowsAsync<IOException>(() => writer.WriteAsync(new byte[10]).AsTask());
        Assert.Equal(TimeSpan.Zero, writer.Delay);
    }

    [Fact]
    public async Task What_waits_leaves_in_one_write_in_order()
    {
        using var stream = new StuckStream();
        var writer = new SocketWriter(null, stream, TimeProvider.System);
        List<Task> writing = [];
        for (byte i = 1; i <= 4; i++)
        {
            writing.Add(writer.WriteAsync(new byte[] { i, i }).AsTask());
        }

        stream.Release();
        await Task.WhenAll(writing);
        await writer.WriteAsync(new byte[] { 5 });

        Assert.Equal([[1, 1], [2, 2, 3, 3, 4, 4], [5]], stream.Writes);
    }

    [Fact]
    public async Task What_is_held_leaves_in_one_write_and_what_is_too_much_in_order_behind_it()
    {
        using var stream = new StuckStream();
        stream.Release();
        var writer = new SocketWriter(null, stream, TimeProvider.System);

        writer.Hold();
        await writer.WriteAsync(new byte[] { 1 });
        await writer.WriteAsync(new byte[] { 2 });
        Assert.Empty(stream.Writes);
        writer.Release();
        writer.Hold();
        writer.Release();
        writer.Hold();
        await writer.WriteAsync(new byte[] { 3 });
        await writer.WriteAsync(new byte[5_000]);
        await writer.WriteAsync(new byte[] { 4 });
        writer.Release();

        var sent = stream.Writes.SelectMany(bytes => bytes).ToArray();
        Assert.Equal([1, 2], stream.Writes[0]);
        Assert.Equal([3, .. new byte[5_000], 4], sent[2..]);
    }

    [Fact]
    public async Task What_waits_for_a_client_when_it_is_released_holds_up_nobody_and_keeps_its_place()
    {
        using var stream = new StuckStream();
        var writer = new SocketWriter(null, stream, TimeProvider.System);

        writer.Hold();
        await writer.WriteAsync(new byte[] { 1 });
        writer.Release();
        Assert.True(writer.Delay > TimeSpan.Zero);
        writer.Hold();
        var waiting = writer.WriteAsync(new byte[] { 2 }).AsTask();
        writer.Release();
        Assert.False(waiting.IsCompleted);

        stream.Release();
        await waiting;
        Assert.Equal([[1], [2]], stream.Writes);
    }

    [Fact]
    public async Task What_the_hub_writes_between_two_flushes_is_one_frame()
    {
        using var written = new MemoryStream();
        var hub = new HubWriter(new SocketWriter(null, written, TimeProvider.System), new BinaryFormat());
        int[] sizes = [1, 125, 126, 600, 65_535, 65_536, 300_000];
        foreach (var size in sizes)
        {
            for (var left = size; left > 0;)
            {
                var piece = hub.GetMemory(Math.Min(left, 100)).Span;
                piece = piece[..Math.Min(piece.Length, left)];
                piece.Fill((byte)size);
                hub.Advance(piece.Length);
                left -= piece.Length;
            }

            await hub.FlushAsync(TestContext.Current.CancellationToken);
        }

        await hub.FlushAsync(TestContext.Current.CancellationToken);
        await hub.CompleteAsync();

        Assert.Equal(sizes.SelectMany(size => Frames.Make(Opcode.Binary, Enumerable.Repeat((byte)size, size).ToArray())), written.ToArray());
        Assert.True((await hub.FlushAsync(TestContext.Current.CancellationToken)).IsCompleted);
    }

    private SocketWriter Writer(bool direct) => new(direct ? _server : null, new NetworkStream(_server!), TimeProvider.System);

    private sealed class BinaryFormat : ITransferFormatFeature
    {
        public TransferFormat SupportedFormats => TransferFormat.Binary;

        public TransferFormat ActiveFormat { get => TransferFormat.Binary; set => throw new NotSupportedException(); }
    }
}
