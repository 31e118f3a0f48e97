using Microsoft.AspNetCore.Http;
using RealtimeAspire.Server.Pipeline.Connections.WebSockets;

namespace RealtimeAspire.Tests.Server.WebSockets;

public sealed class SocketConnectionTests
{
    [Theory]
    [InlineData(29, false)]
    [InlineData(31, true)]
    public async Task A_client_that_does_not_take_a_frame_for_half_a_minute_is_hung_up_on(int seconds, bool expected)
    {
        var time = new JumpingTime();
        using var stream = new StuckStream();
        var connection = new SocketConnection(new DefaultHttpContext(), stream, socket: null, 1_000, time);
        var writing = connection.Writer.WriteAsync(new byte[10]).AsTask();
        connection.Beat();
        Assert.False(connection.ConnectionClosed.IsCancellationRequested);

        time.Jump(TimeSpan.FromSeconds(seconds));
        connection.Beat();

        Assert.Equal(expected, connection.ConnectionClosed.IsCancellationRequested);
        stream.Release();
        await writing;
    }
}
