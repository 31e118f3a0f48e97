using Microsoft.AspNetCore.Http;

namespace RealtimeAspire.Server.Http;

/// <summary>What can be read is also answered without its body.</summary>
internal static class ReadMethods
{
    public static readonly string[] All = [HttpMethods.Get, HttpMethods.Head];
}
