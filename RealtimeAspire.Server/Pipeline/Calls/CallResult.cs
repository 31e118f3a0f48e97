using System.Text.Json;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Pipeline.Calls;

/// <summary>What became of a call: an answer, or an error.</summary>
internal readonly record struct CallResult(JsonElement Payload, ErrorBody? Error)
{
    public static CallResult From(ErrorCode error) => new(default, new RealtimeException(error).ToBody());

    /// <exception cref="RealtimeException">The error.</exception>
    public JsonElement Unwrap() => Error is null ? Payload : throw new RealtimeException(ErrorCode.Find(Error.Code), Error.Message);
}
