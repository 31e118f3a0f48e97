using System.Net;
using System.Net.Sockets;
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
                await writer.WriteAsync(Enumerable.Repeat((byte)number, Bytes).ToArray(), TestContext.Current.CancellationToken);
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
        Assert.Equal(TimeSpan.Zero, writer.Waiting);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_is_given_up_in_the_middle_of_a_frame_is_followed_by_no_other(bool direct)
    {
        var writer = Writer(direct);
        using var impatient = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        var large = writer.WriteAsync(new byte[64 * 1024 * 1024], impatient.Token).AsTask();
        await Until.TrueAsync(() => writer.Waiting > TimeSpan.FromMilliseconds(20));
        var waiting = writer.WriteAsync(new byte[10], TestContext.Current.CancellationToken).AsTask();

        await impatient.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => large);
        await Assert.ThrowsAsync<IOException>(() => waiting);
        await Assert.ThrowsAsync<IOException>(() => writer.WriteAsync(new byte[10], TestContext.Current.CancellationToken).AsTask());
    }

    [Fact]
    public async Task Who_gives_up_waiting_for_its_turn_harms_nobody()
    {
        var writer = Writer(direct: true);
        var large = writer.WriteAsync(new byte[8 * 1024 * 1024], TestContext.Current.CancellationToken).AsTask();
        using var impatient = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        var waiting = writer.WriteAsync(new byte[10], impatient.Token).AsTask();

        await impatient.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        using var stream = new NetworkStream(_client);
        await stream.ReadExactlyAsync(new byte[8 * 1024 * 1024], TestContext.Current.CancellationToken);
        await large;
        await writer.WriteAsync(new byte[] { 7 }, TestContext.Current.CancellationToken);
        Assert.Equal(7, stream.ReadByte());
    }

    [Fact]
    public async Task What_the_hub_writes_between_two_flushes_is_one_frame()
    {
        using var written = new MemoryStream();
        var hub = new HubWriter(new SocketWriter(null, written, TimeProvider.System), () => Opcode.Binary, CancellationToken.None);
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
}
