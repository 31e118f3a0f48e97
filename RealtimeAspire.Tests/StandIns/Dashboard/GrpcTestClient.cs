using System.Buffers.Binary;
using System.Net;
using System.Runtime.CompilerServices;
using Google.Protobuf;

namespace RealtimeAspire.Tests.StandIns.Dashboard;

/// <summary>The dashboard's side of the wire, by hand: one message in, messages and a status out.</summary>
internal sealed class GrpcTestClient(string address, string? apiKey = TestApp.ApiKey) : IDisposable
{
    private readonly HttpClient _http = new() { BaseAddress = new Uri(address) };

    public void Dispose() => _http.Dispose();

    public async Task<Call> StartAsync(string method, HttpContent content, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/aspire.v1.DashboardService/{method}")
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = content,
        };
        content.Headers.ContentType = new("application/grpc");
        request.Headers.TE.Add(new("trailers"));
        if (apiKey is not null)
            request.Headers.Add("x-resource-service-api-key", apiKey);
        return new Call(await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken));
    }

    public Task<Call> StartAsync(string method, IMessage? message, CancellationToken cancellationToken) =>
        StartAsync(method, new ByteArrayContent(Frame(message?.ToByteArray() ?? [])), cancellationToken);

    public static byte[] Frame(byte[] message)
    {
        var frame = new byte[5 + message.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), message.Length);
        message.CopyTo(frame, 5);
        return frame;
    }

    /// <summary>A request that sends one message and stays open until told.</summary>
    internal sealed class OpenContent(byte[] message, Task end) : HttpContent
    {
        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            await stream.WriteAsync(Frame(message));
            await stream.FlushAsync();
            await end;
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }

    internal sealed class Call(HttpResponseMessage response) : IDisposable
    {
        private Stream? _body;

        public HttpResponseMessage Response => response;

        public async IAsyncEnumerable<T> ReadAllAsync<T>(MessageParser<T> parser, [EnumeratorCancellation] CancellationToken cancellationToken = default)
            where T : IMessage<T>
        {
            _body = await response.Content.ReadAsStreamAsync(cancellationToken);
            var prefix = new byte[5];
            while (await _body.ReadAtLeastAsync(prefix, 5, throwOnEndOfStream: false, cancellationToken) == 5)
            {
                var message = new byte[BinaryPrimitives.ReadInt32BigEndian(prefix.AsSpan(1))];
                await _body.ReadExactlyAsync(message, cancellationToken);
                yield return parser.ParseFrom(message);
            }
        }

        /// <summary>The outcome, once the answer has ended.</summary>
        public async Task<(int Status, string Message)> EndAsync()
        {
            _body ??= await response.Content.ReadAsStreamAsync();
            await _body.CopyToAsync(Stream.Null);
            return (int.Parse(Trailer("grpc-status")!), Uri.UnescapeDataString(Trailer("grpc-message") ?? ""));
        }

        public void Dispose() => response.Dispose();

        private string? Trailer(string name) => response.TrailingHeaders.TryGetValues(name, out var values) ? values.Single() : null;
    }
}
