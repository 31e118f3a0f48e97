using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using Google.Protobuf;
using Microsoft.AspNetCore.Http;

namespace Aspire.Hosting.Dashboard;

internal enum GrpcStatus
{
    Ok = 0,
    InvalidArgument = 3,
    ResourceExhausted = 8,
    Unimplemented = 12,
    Internal = 13,
    Unauthenticated = 16,
}

internal sealed class GrpcException(GrpcStatus status, string message) : Exception(message)
{
    public GrpcStatus Status => status;
}

/// <summary>gRPC over HTTP/2, as far as one service needs it: length-prefixed protobuf both ways, the outcome in the trailers.</summary>
internal readonly struct GrpcCall(HttpContext http)
{
    /// <summary>A dashboard's requests have some hundred bytes.</summary>
    private const int MaxRequestBytes = 64 * 1024;

    private const int PrefixBytes = 5;

    /// <summary>Reads a request from the dashboard; its fields are not validated here.</summary>
    public async Task<T> ReadAsync<T>(MessageParser<T> parser, CancellationToken cancellationToken)
        where T : IMessage<T>
    {
        var body = http.Request.BodyReader;
        var prefix = await ReadAtLeastAsync(body, PrefixBytes, cancellationToken);
        var length = ParsePrefix(prefix);
        body.AdvanceTo(prefix.GetPosition(PrefixBytes));
        if (length == 0)
            return parser.ParseFrom(ReadOnlySpan<byte>.Empty);
        var content = await ReadAtLeastAsync(body, length, cancellationToken);
        var message = parser.ParseFrom(content.Slice(0, length));
        body.AdvanceTo(content.GetPosition(length));
        return message;
    }

    public async Task WriteAsync(IMessage message, CancellationToken cancellationToken)
    {
        var body = http.Response.BodyWriter;
        var prefix = body.GetSpan(PrefixBytes);
        prefix[0] = 0;
        BinaryPrimitives.WriteInt32BigEndian(prefix[1..], message.CalculateSize());
        body.Advance(PrefixBytes);
        message.WriteTo(body);
        await body.FlushAsync(cancellationToken);
    }

    /// <summary>Keeps a call open in which neither side has anything to say, until the client ends it.</summary>
    public async Task HoldOpenAsync(CancellationToken cancellationToken)
    {
        // The dashboard takes a call without response headers for one that is not supported.
        await http.Response.StartAsync(cancellationToken);
        await http.Response.BodyWriter.FlushAsync(cancellationToken);
        await http.Request.Body.CopyToAsync(Stream.Null, cancellationToken);
    }

    public void Finish(GrpcStatus status, string message)
    {
        http.Response.AppendTrailer("grpc-status", ((int)status).ToString());
        if (message.Length > 0)
            http.Response.AppendTrailer("grpc-message", Uri.EscapeDataString(message));
    }

    private static int ParsePrefix(ReadOnlySequence<byte> buffer)
    {
        Span<byte> prefix = stackalloc byte[PrefixBytes];
        buffer.Slice(0, PrefixBytes).CopyTo(prefix);
        if (prefix[0] != 0)
            throw new GrpcException(GrpcStatus.Unimplemented, "Compressed requests are not supported.");
        var length = BinaryPrimitives.ReadUInt32BigEndian(prefix[1..]);
        return length <= MaxRequestBytes
            ? (int)length
            : throw new GrpcException(GrpcStatus.ResourceExhausted, $"A request may have {MaxRequestBytes} bytes, and this one has {length}.");
    }

    private static async Task<ReadOnlySequence<byte>> ReadAtLeastAsync(PipeReader body, int bytes, CancellationToken cancellationToken)
    {
        var buffer = (await body.ReadAtLeastAsync(bytes, cancellationToken)).Buffer;
        return buffer.Length >= bytes ? buffer : throw new GrpcException(GrpcStatus.InvalidArgument, "The request ends early.");
    }
}
