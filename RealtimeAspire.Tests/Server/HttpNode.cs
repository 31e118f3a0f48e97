using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Security.Claims;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Http;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Backplane;
using RealtimeAspire.Server.Pipeline.Connections;

namespace RealtimeAspire.Tests.Server;

/// <summary>
/// The HTTP API of a node behind a real socket, over a pipeline that the test can reach. Nodes that share log and backplane are
/// one system.
/// </summary>
internal sealed class HttpNode : IAsyncDisposable
{
    private readonly WebApplication _app;

    private HttpNode(TestNode node, WebApplication app, Drain drain) => (Node, _app, Drain) = (node, app, drain);

    public TestNode Node { get; }

    public Drain Drain { get; }

    public Uri Address => new(_app.Urls.First());

    public HttpClient Http { get; private init; } = null!;

    /// <param name="other">A node of the same system.</param>
    /// <param name="backplane">What carries events between the nodes.</param>
    /// <param name="options">The configuration.</param>
    /// <param name="time">What drives heartbeats and waits.</param>
    /// <param name="lifetime">How long the callers' tokens last from each request on.</param>
    public static async Task<HttpNode> StartAsync(
        TestNode? other = null, IBackplane? backplane = null, RealtimeOptions? options = null, TimeProvider? time = null, TimeSpan? lifetime = null)
    {
        var clock = time ?? TimeProvider.System;
        var node = new TestNode(other?.Log, backplane, options);
        await node.StartAsync();
        var drain = new Drain(node.Connections, new Microsoft.Extensions.Hosting.Internal.ApplicationLifetime(NullLogger<Microsoft.Extensions.Hosting.Internal.ApplicationLifetime>.Instance), clock, NullLogger<Drain>.Instance);
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        builder.Services.AddAuthorization().AddProblemDetails().AddSingleton(clock);
        builder.Services.AddSingleton(node.Connections).AddSingleton(node.Subscribe).AddSingleton(node.Publish).AddSingleton(node.History).AddSingleton(node.Acknowledge).AddSingleton(drain);
        builder.Services.AddSingleton(new RealtimeAspire.Server.Pipeline.Tenants.TenantRegistry(Microsoft.Extensions.Options.Options.Create(node.Options), new Microsoft.Extensions.Hosting.Internal.HostingEnvironment { EnvironmentName = "Development" }, new(false)));
        var app = builder.Build();
        app.Use((context, next) =>
        {
            context.User = new ClaimsPrincipal(new CallerIdentity(TestNode.Ada with { Expires = clock.GetUtcNow() + lifetime }));
            return next(context);
        });
        app.UseAuthorization();
        app.MapEventApi();
        await app.StartAsync(TestContext.Current.CancellationToken);
        return new HttpNode(node, app, drain) { Http = new HttpClient { BaseAddress = new Uri(app.Urls.First()) } };
    }

    public Task<PublishReply> PublishAsync(string topic, string text = "hi") => Node.PublishAsync(topic, text);

    public async Task<SseReader> StreamAsync(string query, string? lastEventId = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/topics/stream?{query}");
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("text/event-stream"));
        if (lastEventId is not null)
        {
            request.Headers.Add("Last-Event-ID", lastEventId);
        }

        var response = await Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        return new SseReader(response);
    }

    public async Task<JsonElement> PollAsync(string query)
    {
        using var response = await Http.GetAsync($"/topics/events?{query}", TestContext.Current.CancellationToken);
        var text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.True(response.IsSuccessStatusCode, text);
        using var body = JsonDocument.Parse(text);
        return body.RootElement.Clone();
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await _app.DisposeAsync();
        await Node.DisposeAsync();
        Drain.Dispose();
    }
}

/// <summary>One frame of a stream; a comment has nothing but itself.</summary>
internal sealed record SseMessage(string Name, string Id, string Data, string? Retry, string? Comment)
{
    public JsonElement Json { get; } = Data.Length == 0 ? default : JsonSerializer.Deserialize<JsonElement>(Data);
}

/// <summary>Reads a stream as the WHATWG's rules have it.</summary>
internal sealed class SseReader(HttpResponseMessage response) : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private StreamReader? _lines;

    public HttpResponseMessage Response => response;

    /// <summary>The id of the last frame.</summary>
    public string LastId { get; private set; } = "";

    /// <summary>The next frame; null when the stream has ended.</summary>
    public async Task<SseMessage?> ReadAsync()
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(Patience);
        _lines ??= new StreamReader(await response.Content.ReadAsStreamAsync(patience.Token), Encoding.UTF8);
        var (name, retry, comment, data) = ("", (string?)null, (string?)null, new List<string>());
        while (await _lines.ReadLineAsync(patience.Token) is { } line)
        {
            if (line.Length == 0)
            {
                return new SseMessage(name, LastId, string.Join('\n', data), retry, comment);
            }

            var (field, value) = line.IndexOf(':', StringComparison.Ordinal) is var colon and >= 0
                ? (line[..colon], line[(colon + 1)..].TrimStart(' '))
                : (line, "");
            switch (field)
            {
                case "event":
                    name = value;
                    break;
                case "id":
                    LastId = value;
                    break;
                case "data":
                    data.Add(value);
                    break;
                case "retry":
                    retry = value;
                    break;
                default:
                    comment = value;
                    break;
            }
        }

        return null;
    }

    /// <summary>The next frame that is no comment.</summary>
    public async Task<SseMessage> NextAsync()
    {
        while (true)
        {
            var message = await ReadAsync() ?? throw new EndOfStreamException("The stream has ended.");
            if (message.Data.Length > 0)
            {
                return message;
            }
        }
    }

    /// <summary>The next events, as <c>topic/offset</c>.</summary>
    public async Task<List<string>> EventsAsync(int count)
    {
        var events = new List<string>();
        while (events.Count < count)
        {
            var message = await NextAsync();
            Assert.Equal("", message.Name);
            events.Add($"{message.Json.GetProperty("topic").GetString()}/{message.Json.GetProperty("offset").GetInt64()}");
        }

        return events;
    }

    public async IAsyncEnumerable<SseMessage> ToEndAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        while (await ReadAsync() is { } message)
        {
            yield return message;
        }
    }

    public void Dispose() => response.Dispose();
}
