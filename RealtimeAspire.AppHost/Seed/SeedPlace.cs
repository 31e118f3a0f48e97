using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;

namespace RealtimeAspire.AppHost.Seed;

/// <summary>What people do, over the public API and in their own names. Everything has an id: done again it is the same.</summary>
internal sealed class SeedPlace(HttpClient http, CancellationToken cancellationToken)
{
    public const string Prefix = "seed-";

    private static readonly string[] Everything = ["*"];

    private readonly Dictionary<string, string> _tokens = new(StringComparer.Ordinal);
    private int _count;

    /// <summary>The ids of the oldest events of a topic, as far as there are any.</summary>
    public async Task<string?[]> OldestAsync(string topic, int limit)
    {
        var page = await SendAsync("ada", HttpMethod.Get, $"/topics/{Uri.EscapeDataString(topic)}/events?limit={limit}", body: null);
        return [.. page.GetProperty("events").EnumerateArray().Select(one => one.GetProperty("id").GetString())];
    }

    /// <summary>Publishes, and says where the event is.</summary>
    public async Task<long> PublishAsync(string user, string topic, string name, object payload, string? entityId = null, string? id = null)
    {
        var reply = await SendAsync(
            user, HttpMethod.Post, $"/topics/{Uri.EscapeDataString(topic)}/events", new { @event = name, payload, entityId, id = id ?? $"{Prefix}{++_count}" });
        return reply.GetProperty("position").GetProperty("offset").GetInt64();
    }

    /// <summary>Changes something of the user's; what is there already is left.</summary>
    public Task PutAsync(string user, string path, object? body) => SendAsync(user, HttpMethod.Put, path, body);

    public Task PostAsync(string user, string path, object body) => SendAsync(user, HttpMethod.Post, path, body);

    /// <summary>As a backend would: in development whoever asks has its rights.</summary>
    public Task NotifyAsync(string to, string kind, string title, string body, string link) => SendAsync(
        "concierge", HttpMethod.Post, "/notifications", new { id = $"{Prefix}{++_count}", to = new { user = to }, kind, title, body, link });

    private async Task<JsonElement> SendAsync(string user, HttpMethod method, string path, object? body)
    {
        using var request = new HttpRequestMessage(method, path) { Content = body is null ? null : JsonContent.Create(body) };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", await TokenAsync(user));
        using var response = await http.SendAsync(request, cancellationToken);
        var text = await response.Content.ReadAsStringAsync(cancellationToken);
        if (!response.IsSuccessStatusCode && response.StatusCode != HttpStatusCode.Conflict)
            throw new HttpRequestException($"{method} {path} was answered with {(int)response.StatusCode}: {text}");
        using var answer = JsonDocument.Parse(text == "" ? "{}" : text);
        return answer.RootElement.Clone();
    }

    private async Task<string> TokenAsync(string user)
    {
        if (_tokens.TryGetValue(user, out var known))
            return known;
        object asked = user == "concierge" ? new { user, grants = new[] { new { topic = "*", operations = Everything } } } : new { user };
        using var response = await http.PostAsJsonAsync("/auth/token", asked, cancellationToken);
        response.EnsureSuccessStatusCode();
        var reply = await response.Content.ReadFromJsonAsync<JsonElement>(cancellationToken);
        return _tokens[user] = reply.GetProperty("access_token").GetString()!;
    }
}
