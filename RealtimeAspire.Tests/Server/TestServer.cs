using System.Buffers;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using RealtimeAspire.Client;
using RealtimeAspire.Server;
using RealtimeAspire.Server.Features.Chat;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Connections;
using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Tests.Server;

/// <summary>A whole node behind a real socket, over a log in memory.</summary>
internal sealed class TestServer : IAsyncDisposable
{
    private const string SigningKey = "a-signing-key-of-the-tests-and-of-nobody-else";

    private readonly WebApplication _app;

    private TestServer(WebApplication app, FaultyTopicLog log) => (_app, Log) = (app, log);

    public FaultyTopicLog Log { get; }

    public Uri Address => new(_app.Urls.First());

    public static async Task<TestServer> StartAsync(params (string Key, string Value)[] settings)
    {
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { EnvironmentName = "Development" });
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        builder.Configuration.AddInMemoryCollection(
        [
            new("Realtime:SingleNode", "true"),
            new("Realtime:Auth:SigningKey", SigningKey),
            .. settings.Select(setting => KeyValuePair.Create(setting.Key, (string?)setting.Value)),
        ]);
        builder.Services.AddSingleton(_ => NpgsqlDataSource.Create("Host=nowhere"));
        builder.AddRealtime().AddChat();

        // No Postgres here: of what runs in the background only the feeds.
        builder.Services.RemoveAll<IHostedService>();
        builder.Services.AddHostedService(provider => provider.GetRequiredService<FeedRegistry>());
        var log = new FaultyTopicLog(TimeProvider.System);
        builder.Services.AddSingleton(provider => new LogCatalog(provider.GetRequiredService<TopicCatalog>(), log, log));
        var app = builder.Build();
        app.MapRealtime().MapChat();
        var server = new TestServer(app, log);
        await app.StartAsync(TestContext.Current.CancellationToken);
        return server;
    }

    /// <summary>What happens first when the host is told to stop.</summary>
    public Task DrainAsync() => _app.Services.GetRequiredService<Drain>().StoppingAsync(TestContext.Current.CancellationToken);

    /// <summary>A token as the development identity gives it, whose time ends at a moment of the test's choice.</summary>
    public static string Token(string user = "ada", TimeSpan? lifetime = null)
    {
        const int Seconds = 3_600;
        var options = new RealtimeOptions { Auth = { SigningKey = SigningKey, TokenSeconds = Seconds } };
        var time = new ShiftedTime((lifetime ?? TimeSpan.FromSeconds(Seconds)) - TimeSpan.FromSeconds(Seconds));
        return new TokenIssuer(Microsoft.Extensions.Options.Options.Create(options), time).Issue(user).AccessToken;
    }

    public HttpClient Http() => new()
    {
        BaseAddress = Address,
        DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", Token()) },
    };

    public async Task<RealtimeClient> ConnectAsync(Func<string>? token = null)
    {
        var client = new RealtimeClient(Address, () => Task.FromResult<string?>(token?.Invoke() ?? Token()));
        await client.ConnectAsync(TestContext.Current.CancellationToken);
        return client;
    }

    /// <summary>A connection whose every byte the test decides.</summary>
    public async Task<RawHub> ConnectRawAsync(string? token = null)
    {
        var socket = new ClientWebSocket();
        var address = new UriBuilder(Address) { Scheme = "ws", Path = "/realtime", Query = $"access_token={token ?? Token()}" };
        await socket.ConnectAsync(address.Uri, TestContext.Current.CancellationToken);
        var hub = new RawHub(socket);
        await hub.SendAsync("""{"protocol":"json","version":1}""");
        Assert.Equal("{}", (await hub.ReadAsync())!.RootElement.GetRawText());
        return hub;
    }

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    private sealed class ShiftedTime(TimeSpan shift) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + shift;
    }
}

/// <summary>SignalR's wire, by hand.</summary>
internal sealed class RawHub(ClientWebSocket socket) : IDisposable
{
    private const char RecordSeparator = '\u001e';

    private readonly StringBuilder _unread = new();

    public async Task SendAsync(string message)
    {
        var bytes = Encoding.UTF8.GetBytes(message + RecordSeparator);
        await socket.SendAsync(bytes, WebSocketMessageType.Text, endOfMessage: true, TestContext.Current.CancellationToken);
    }

    /// <summary>The next message; null when the server has closed.</summary>
    public async Task<JsonDocument?> ReadAsync()
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(TimeSpan.FromSeconds(20));
        var buffer = new byte[16 * 1024];
        while (true)
        {
            var text = _unread.ToString();
            var end = text.IndexOf(RecordSeparator, StringComparison.Ordinal);
            if (end >= 0)
            {
                _unread.Remove(0, end + 1);
                return JsonDocument.Parse(text[..end]);
            }

            WebSocketReceiveResult read;
            try
            {
                read = await socket.ReceiveAsync(buffer, patience.Token);
            }
            catch (WebSocketException)
            {
                return null;
            }

            if (read.MessageType is WebSocketMessageType.Close)
            {
                return null;
            }

            _unread.Append(Encoding.UTF8.GetString(buffer, 0, read.Count));
        }
    }

    /// <summary>The next message of a type that is not a ping or an event.</summary>
    public async Task<JsonElement?> ReadAsync(params int[] types)
    {
        while (await ReadAsync() is { } message)
        {
            if (types.Contains(message.RootElement.GetProperty("type").GetInt32()))
            {
                return message.RootElement;
            }
        }

        return null;
    }

    public void Dispose() => socket.Dispose();
}
