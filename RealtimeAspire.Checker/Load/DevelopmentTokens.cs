using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Checker.Load;

/// <summary>Tokens of the development identity, one per user.</summary>
internal sealed class DevelopmentTokens(Uri server) : IDisposable
{
    private readonly HttpClient _http = new() { BaseAddress = server };

    /// <exception cref="RealtimeException">Not reached: <c>disconnected</c>.</exception>
    /// <exception cref="CannotRunException">There is no development identity.</exception>
    public async Task<string> TokenAsync(string user, CancellationToken cancellationToken)
    {
        try
        {
            using var response = await _http.PostAsJsonAsync("auth/token", new { user }, cancellationToken);
            if (response.StatusCode is HttpStatusCode.NotFound)
            {
                throw new CannotRunException($"{server} gives out no tokens, as it should not outside development; give one with --token.");
            }

            response.EnsureSuccessStatusCode();
            var reply = await response.Content.ReadFromJsonAsync<JsonElement>(cancellationToken);
            return reply.GetProperty("access_token").GetString()!;
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or JsonException)
        {
            throw new RealtimeException(ErrorCode.Disconnected, exception.Message, exception);
        }
    }

    public void Dispose() => _http.Dispose();
}
