using System.Buffers;
using System.Buffers.Text;
using System.Net;
using System.Net.Sockets;
using System.Text;
using RealtimeAspire.Benchmarks.Peers;

namespace RealtimeAspire.Benchmarks.Load;

/// <summary>One kept-alive HTTP/1.1 connection that publishes, one request at a time, without what HttpClient costs.</summary>
internal sealed class RawHttp : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly string _headers;
    private readonly byte[] _buffer = new byte[8 * 1024];

    private RawHttp(Uri node, string token) =>
        _headers = $"Host: {node.Authority}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n";

    public static async Task<RawHttp> ConnectAsync(Uri node, string token)
    {
        var http = new RawHttp(node, token);
        await http._socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, node.Port));
        return http;
    }

    /// <summary>Completes when the server has answered that the event is stored.</summary>
    public async Task PublishAsync(string topic, string id, byte[] payload)
    {
        var start = $"{{\"event\":\"{RealtimePeer.Event}\",\"id\":\"{id}\",\"payload\":";
        var request = new ArrayBufferWriter<byte>(2 * 1024);
        Encoding.ASCII.GetBytes($"POST /topics/{topic}/events HTTP/1.1\r\n{_headers}Content-Length: {start.Length + payload.Length + 1}\r\n\r\n{start}", request);
        request.Write(payload);
        request.Write("}"u8);
        await _socket.SendAsync(request.WrittenMemory);

        var length = 0;
        while (!IsComplete(_buffer.AsSpan(0, length)))
        {
            var read = length == _buffer.Length ? 0 : await _socket.ReceiveAsync(_buffer.AsMemory(length));
            if (read == 0)
                throw new BenchmarkException("The server closed an HTTP connection.");
            length += read;
        }

        if (!_buffer.AsSpan(0, length).StartsWith("HTTP/1.1 201"u8))
            throw new BenchmarkException($"The server refused a publish: {Encoding.UTF8.GetString(_buffer, 0, length)}");
    }

    public void Dispose()
    {
        _socket.LingerState = new LingerOption(true, 0);
        _socket.Dispose();
    }

    /// <summary>Whether this is a whole response, of a given length or in chunks.</summary>
    private static bool IsComplete(ReadOnlySpan<byte> response)
    {
        var headers = response.IndexOf("\r\n\r\n"u8);
        if (headers < 0)
            return false;
        var length = response[..headers].IndexOf("Content-Length: "u8);
        if (length < 0)
            return response.EndsWith("\r\n0\r\n\r\n"u8);
        return Utf8Parser.TryParse(response[(length + "Content-Length: ".Length)..], out int bytes, out _) && response.Length >= headers + 4 + bytes;
    }
}
