using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Mvc;

namespace RealtimeAspire.Web.Api;

/// <summary>What the web server itself asks the API. Messages go between browser and API directly.</summary>
internal sealed class RealtimeApi(HttpClient http)
{
    /// <summary>Gets a token for a name.</summary>
    /// <param name="user">Validated by <see cref="Session.UserName"/>.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="ApiException">The API refused, or does not answer.</exception>
    public async Task<IssuedToken> IssueTokenAsync(string user, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/auth/token") { Content = JsonContent.Create(new TokenRequest(user)) };
        return await SendAsync<IssuedToken>(request, cancellationToken);
    }

    /// <summary>The rooms this token may see.</summary>
    /// <exception cref="ApiException">The API refused, or does not answer.</exception>
    public async Task<IReadOnlyList<RoomSummary>> ListRoomsAsync(string token, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/rooms");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return (await SendAsync<RoomsReply>(request, cancellationToken)).Rooms;
    }

    /// <summary>What a room is to this token's user; null: it is none yet.</summary>
    /// <exception cref="ApiException">The API refused, or does not answer.</exception>
    public async Task<RoomState?> FindRoomAsync(string token, string name, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/rooms/{Uri.EscapeDataString(name)}");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        try
        {
            return await SendAsync<RoomState>(request, cancellationToken);
        }
        catch (ApiException exception) when (exception.Status == HttpStatusCode.NotFound)
        {
            return null;
        }
    }

    private async Task<T> SendAsync<T>(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        try
        {
            using var response = await http.SendAsync(request, cancellationToken);
            if (!response.IsSuccessStatusCode)
            {
                var problem = response.Content.Headers.ContentType?.MediaType == "application/problem+json"
                    ? await response.Content.ReadFromJsonAsync<ProblemDetails>(cancellationToken)
                    : null;
                throw new ApiException(response.StatusCode, problem?.Detail ?? problem?.Title ?? $"The server answered {(int)response.StatusCode}.");
            }

            return await response.Content.ReadFromJsonAsync<T>(cancellationToken)
                ?? throw new ApiException(HttpStatusCode.BadGateway, "The server's answer was empty.");
        }
        // Whatever the resilience pipeline ends with: no connection, time-out, open circuit.
        catch (Exception exception) when (exception is not ApiException)
        {
            throw new ApiException(null, "The server does not answer right now.", exception);
        }
    }

    private sealed record TokenRequest(string User);

    private sealed record RoomsReply(IReadOnlyList<RoomSummary> Rooms);
}

internal sealed record IssuedToken(
    [property: JsonPropertyName("access_token")] string AccessToken,
    [property: JsonPropertyName("expires_in")] int ExpiresIn);

/// <summary>One room of the list. Public because the list's component hands it from prerendering to its circuit.</summary>
public sealed record RoomSummary(
    string Topic, string Name, DateTimeOffset? LastEventAt, string Kind = "public", string? Title = null, long Unread = 0, long Mentions = 0);

/// <summary>What the room's page begins with; Live/rooms/roomMenu.ts has the same.</summary>
internal sealed record RoomState(string Kind, string Title, string Description, int SlowSeconds, string? Role, long Unread);

/// <summary>The API said no (with a status), or nothing at all (without one).</summary>
internal sealed class ApiException(HttpStatusCode? status, string message, Exception? inner = null) : Exception(message, inner)
{
    public HttpStatusCode? Status => status;

    /// <summary>The same request may succeed later.</summary>
    public bool Retryable => status is null or HttpStatusCode.TooManyRequests or >= HttpStatusCode.InternalServerError;
}

internal static class RealtimeApiFeature
{
    public static void AddRealtimeApi(this IHostApplicationBuilder builder) =>
        builder.Services.AddHttpClient<RealtimeApi>(client => client.BaseAddress = new Uri("https+http://api"));
}
