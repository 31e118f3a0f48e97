using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using RealtimeAspire.Server.Pipeline.Connections.WebSockets;

namespace RealtimeAspire.Tests.Server.WebSockets;

/// <summary>A WebSocket client whose every byte the test decides.</summary>
internal sealed class RawSocket : IDisposable
{
    public const char RecordSeparator = '\u001e';

    private readonly Socket _socket = new(SocketType.Stream, ProtocolType.Tcp);
    private NetworkStream? _stream;

    private RawSocket()
    {
    }

    /// <summary>Connects, upgrades, and shakes hands with the hub.</summary>
    public static async Task<RawSocket> ConnectAsync(Uri node, string token)
    {
        var raw = await UpgradeAsync(node, token);
        await raw.SendAsync(ClientFrames.Text($$"""{"protocol":"json","version":1}{{RecordSeparator}}"""));
        Assert.Equal((Opcode.Text, $"{{}}{RecordSeparator}"), await raw.NextAsync());
        return raw;
    }

    /// <summary>Connects and upgrades.</summary>
    public static async Task<RawSocket> UpgradeAsync(Uri node, string token)
    {
        var raw = await OpenAsync(node);
        await raw.SendAsync(Encoding.ASCII.GetBytes(
            $"GET /realtime?access_token={token} HTTP/1.1\r\nHost: {node.Authority}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"));
        var head = new StringBuilder();
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            head.Append((char)(await raw.ReadAsync(1))[0]);
        }

        Assert.StartsWith("HTTP/1.1 101 ", head.ToString(), StringComparison.Ordinal);
        // The example of the RFC (1.3).
        Assert.Contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", head.ToString(), StringComparison.Ordinal);
        return raw;
    }

    /// <summary>Connects, and says nothing.</summary>
    public static async Task<RawSocket> OpenAsync(Uri node)
    {
        var raw = new RawSocket();
        await raw._socket.ConnectAsync(IPAddress.Loopback, node.Port, TestContext.Current.CancellationToken);
        raw._stream = new NetworkStream(raw._socket);
        return raw;
    }

    public async Task SendAsync(params byte[][] frames) =>
        await _socket.SendAsync(frames.SelectMany(frame => frame).ToArray(), SocketFlags.None, TestContext.Current.CancellationToken);

    /// <summary>The next frame; null when the server has closed the connection, properly.</summary>
    public async Task<(Opcode Kind, string Payload)?> NextAsync()
    {
        var first = new byte[1];
        if (await _stream!.ReadAsync(first, TestContext.Current.CancellationToken) == 0)
        {
            return null;
        }

        var length = (await ReadAsync(1))[0];
        // Whole, and not masked.
        Assert.Equal((0x80, 0), (first[0] & 0xf0, length & 0x80));
        var bytes = length switch
        {
            126 => BinaryPrimitives.ReadUInt16BigEndian(await ReadAsync(2)),
            127 => (int)BinaryPrimitives.ReadInt64BigEndian(await ReadAsync(8)),
            _ => length,
        };
        return ((Opcode)(first[0] & 0xf), Encoding.Latin1.GetString(await ReadAsync(bytes)));
    }

    /// <summary>All that the server says, until it says that it closes.</summary>
    public async Task<string> FarewellAsync()
    {
        var said = new StringBuilder();
        while (true)
        {
            var frame = await NextAsync();
            Assert.NotNull(frame);
            if (frame.Value.Kind is Opcode.Close)
            {
                return said.ToString();
            }

            said.Append(frame.Value.Payload);
        }
    }

    /// <summary>The first line of an answer in HTTP.</summary>
    public async Task<string> StatusLineAsync()
    {
        using var reader = new StreamReader(_stream!, Encoding.ASCII, leaveOpen: true);
        return await reader.ReadLineAsync(TestContext.Current.CancellationToken) ?? "";
    }

    /// <summary>Sends one byte after the other, each after a pause, and all of them again, until it is closed.</summary>
    public async Task DripAsync(byte[] bytes, TimeSpan pause, Task closed)
    {
        for (var i = 0; !closed.IsCompleted; i = (i + 1) % bytes.Length)
        {
            try
            {
                await SendAsync([bytes[i]]);
            }
            catch (SocketException)
            {
                // The server is gone; what it said before can be read.
                return;
            }

            await Task.WhenAny(closed, Task.Delay(pause, TimeProvider.System, TestContext.Current.CancellationToken));
        }
    }

    /// <summary>The code of the close frame that comes, after which the connection ends.</summary>
    public async Task<int> CloseCodeAsync()
    {
        while (true)
        {
            var frame = await NextAsync();
            Assert.NotNull(frame);
            if (frame.Value.Kind is Opcode.Close)
            {
                return (frame.Value.Payload[0] << 8) | frame.Value.Payload[1];
            }
        }
    }

    public void Dispose()
    {
        _stream?.Dispose();
        _socket.Dispose();
    }

    private async Task<byte[]> ReadAsync(int bytes)
    {
        var read = new byte[bytes];
        await _stream!.ReadExactlyAsync(read, TestContext.Current.CancellationToken);
        return read;
    }
}
