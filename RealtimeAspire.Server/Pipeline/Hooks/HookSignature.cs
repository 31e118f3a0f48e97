using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;

namespace RealtimeAspire.Server.Pipeline.Hooks;

/// <summary>
/// Signs what a backend is asked, as the Standard Webhooks specification has it: <c>v1,</c> and the HMAC-SHA256 of id, time and body,
/// so that nobody else can ask, and nothing can be asked again later.
/// </summary>
/// <remarks>See https://github.com/standard-webhooks/standard-webhooks, whose libraries verify it.</remarks>
internal sealed class HookSignature
{
    private readonly byte[][] _secrets;

    /// <param name="secrets">One signature each.</param>
    public HookSignature(IEnumerable<string> secrets) => _secrets = [.. secrets.Select(Encoding.UTF8.GetBytes)];

    /// <param name="headers">Get the three headers.</param>
    /// <param name="id">Unique to the question.</param>
    /// <param name="at">When it is asked.</param>
    /// <param name="body">What is sent.</param>
    public void Sign(HttpHeaders headers, string id, DateTimeOffset at, ReadOnlySpan<byte> body)
    {
        var seconds = at.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        var start = Encoding.UTF8.GetBytes($"{id}.{seconds}.");
        var signed = new byte[start.Length + body.Length];
        start.CopyTo(signed, 0);
        body.CopyTo(signed.AsSpan(start.Length));
        headers.Add("webhook-id", id);
        headers.Add("webhook-timestamp", seconds);
        headers.Add("webhook-signature", string.Join(' ', _secrets.Select(secret => $"v1,{Convert.ToBase64String(HMACSHA256.HashData(secret, signed))}")));
    }
}
