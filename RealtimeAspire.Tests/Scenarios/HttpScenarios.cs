using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using RealtimeAspire.Tests.Server;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>Readers with nothing but HTTP, through the round robin: each request goes to whichever node.</summary>
[Collection(SharedTopology.Name)]
public sealed class HttpScenarios(Topology topology)
{
    private const int Publishers = 3;
    private const int PerPublisher = 100;
    private const int Total = Publishers * PerPublisher;
    private const int PerVisit = 17;

    private readonly string _topic = $"room:{Guid.NewGuid():n}";

    [Fact]
    public async Task A_stream_that_breaks_off_and_comes_back_to_whichever_node_misses_nothing_and_sees_nothing_twice()
    {
        var token = await topology.TokenAsync("grace");
        var publishing = PublishAsync();
        var (seen, id) = (new List<string>(), "0=:0");
        while (seen.Count < Total)
        {
            using var http = Connect(token);
            using var request = new HttpRequestMessage(HttpMethod.Get, $"/topics/stream?topic={Uri.EscapeDataString(_topic)}");
            request.Headers.Add("Last-Event-ID", id);
            using var stream = new SseReader(await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Topology.Cancelled));
            stream.Response.EnsureSuccessStatusCode();
            Assert.Equal("subscribed", (await stream.NextAsync()).Name);
            seen.AddRange(await stream.EventsAsync(Math.Min(PerVisit, Total - seen.Count)));
            id = stream.LastId;
        }

        await publishing;
        Assert.Equal(Enumerable.Range(1, Total).Select(offset => $"{_topic}/{offset}"), seen);
    }

    [Fact]
    public async Task One_poll_after_the_other_on_whichever_node_misses_nothing_and_sees_nothing_twice()
    {
        var token = await topology.TokenAsync("grace");
        var publishing = PublishAsync();
        var (seen, at) = (new List<long>(), ":0");
        while (seen.Count < Total)
        {
            using var http = Connect(token);
            var reply = await http.GetFromJsonAsync<JsonElement>($"/topics/events?topic={Uri.EscapeDataString(_topic)}&after={Uri.EscapeDataString(at)}&wait=20", Topology.Cancelled);
            var topic = Assert.Single(reply.GetProperty("topics").EnumerateArray());
            Assert.Equal("recovered", topic.GetProperty("recovery").GetString());
            seen.AddRange(topic.GetProperty("events").EnumerateArray().Select(item => item.GetProperty("offset").GetInt64()));
            at = $"{topic.GetProperty("position").GetProperty("epoch").GetString()}:{topic.GetProperty("position").GetProperty("offset").GetInt64()}";
        }

        await publishing;
        Assert.Equal(Enumerable.Range(1, Total).Select(offset => (long)offset), seen);
    }

    /// <summary>A connection of its own: the round robin chooses anew.</summary>
    private HttpClient Connect(string token) => new()
    {
        BaseAddress = topology.Api,
        DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", token) },
    };

    private Task PublishAsync() => Task.WhenAll(Enumerable.Range(0, Publishers).Select(async publisher =>
    {
        using var http = await topology.HttpAsync($"ada-{publisher}");
        for (var i = 0; i < PerPublisher; i++)
        {
            using var response = await http.PostAsJsonAsync(
                $"/topics/{Uri.EscapeDataString(_topic)}/events", new { @event = "chat:message", payload = new { text = $"{publisher}/{i}" } }, Topology.Cancelled);
            Assert.Equal(201, (int)response.StatusCode);
        }
    }));
}
