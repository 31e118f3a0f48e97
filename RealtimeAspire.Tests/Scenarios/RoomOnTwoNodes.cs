using System.Net;
using System.Net.Http.Json;
using System.Text.Json;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>A room over a real database, by two nodes, and what users ask of it over HTTP.</summary>
[Collection(SharedTopology.Name)]
public abstract class RoomOnTwoNodes(TwoNodes nodes) : IClassFixture<TwoNodes>
{
    /// <summary>Of this test alone.</summary>
    private protected string Room { get; } = $"r{Guid.NewGuid():n}";

    private protected TwoNodes Nodes { get; } = nodes;

    private protected static string Ids(params int[] ids) => string.Join(' ', ids);

    private protected static (string Ids, bool HasBefore, bool HasAfter) Slice(JsonElement page) => (
        string.Join(' ', page.GetProperty("messages").EnumerateArray().Select(message => message.GetProperty("id").GetString())),
        page.GetProperty("hasBefore").GetBoolean(),
        page.GetProperty("hasAfter").GetBoolean());

    private protected static async Task<JsonElement> ReadAsync(HttpResponseMessage answer) => JsonElement.Parse(await answer.Content.ReadAsStringAsync(Topology.Cancelled));

    private protected async Task<string> SayAsync(string user, string text, object? more = null, string? room = null)
    {
        var payload = JsonSerializer.SerializeToNode(more ?? new { })!.AsObject();
        payload["text"] = text;
        using var answer = await SendAsync(Nodes.First, user, HttpMethod.Post, $"/topics/room:{room ?? Room}/events", new { @event = "chat:message", payload });
        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
        return $"{(await ReadAsync(answer)).GetProperty("position").GetProperty("offset").GetInt64()}";
    }

    private protected async Task JoinAsync(string user) => Assert.Equal(HttpStatusCode.NoContent, (await AskAsync(Nodes.First, user, HttpMethod.Put, "membership")).StatusCode);

    /// <summary>Why it was not published; null: it was.</summary>
    private protected async Task<string?> RefusalAsync(string user, string name, string? entityId, object payload, string? id = null, TenantNode? node = null)
    {
        using var answer = await SendAsync(node ?? Nodes.First, user, HttpMethod.Post, $"/topics/room:{Room}/events", new { @event = name, entityId, payload, id });
        return answer.IsSuccessStatusCode ? null : (await ReadAsync(answer)).GetProperty("code").GetString();
    }

    private protected async Task<JsonElement> GetAsync(TenantNode node, string user, string? path)
    {
        using var answer = await AskAsync(node, user, HttpMethod.Get, path);
        var read = await ReadAsync(answer);
        Assert.True(answer.IsSuccessStatusCode, read.ToString());
        return read;
    }

    private protected Task<HttpResponseMessage> AskAsync(TenantNode node, string user, HttpMethod method, string? path, object? body = null, string? room = null) =>
        SendAsync(node, user, method, path is null ? $"/rooms/{room ?? Room}" : $"/rooms/{room ?? Room}/{path}", body);

    private protected static async Task<HttpResponseMessage> SendAsync(TenantNode node, string user, HttpMethod method, string path, object? body = null)
    {
        using var http = node.Http("default", user);
        using var request = new HttpRequestMessage(method, path);
        request.Content = body is null ? null : JsonContent.Create(body);
        return await http.SendAsync(request, Topology.Cancelled);
    }
}
