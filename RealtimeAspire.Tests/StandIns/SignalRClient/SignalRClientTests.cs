using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.Http.Connections.Client;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Client;
using Microsoft.AspNetCore.SignalR.Protocol;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Xunit;

namespace RealtimeAspire.Tests.StandIns.SignalRClient;

public sealed class SignalRClientTests : IAsyncLifetime
{
    private readonly WebApplication _server = CreateServer();
    private readonly ConcurrentQueue<string?> _authorizations = new();

    private Uri Hub => new($"{_server.Urls.First()}/hub");

    public async ValueTask InitializeAsync()
    {
        _server.Use(async (context, next) =>
        {
            _authorizations.Enqueue(context.Request.Headers.Authorization);
            if (context.Request.Headers.Authorization == "Bearer stale")
                context.Response.StatusCode = StatusCodes.Status401Unauthorized;
            else
                await next(context);
        });
        _server.MapHub<EchoHub>("/hub");
        await _server.StartAsync();
    }

    public async ValueTask DisposeAsync() => await _server.DisposeAsync();

    [Fact]
    public async Task Calls_callbacks_and_streams_go_through()
    {
        await using var connection = Client(Hub);
        var received = new TaskCompletionSource<string>();
        connection.On<string>("Said", received.SetResult);
        await connection.StartAsync();

        Assert.Equal("hello", await connection.InvokeAsync<string>("Echo", "hello"));
        await connection.SendAsync("Say", "to all");
        Assert.Equal("to all", await received.Task.WaitAsync(TimeSpan.FromSeconds(5)));
        Assert.Equal([0, 1, 2], await connection.StreamAsync<int>("Count", 3).ToListAsync());
        var exception = await Assert.ThrowsAsync<HubException>(() => connection.InvokeAsync("Fail"));
        Assert.Contains("denied: no", exception.Message, StringComparison.Ordinal);
        Assert.Null(connection.ConnectionId);
    }

    [Fact]
    public async Task A_message_larger_than_every_buffer_arrives_whole()
    {
        await using var connection = Client(Hub);
        await connection.StartAsync();
        var large = string.Concat(Enumerable.Range(0, 400_000).Select(i => (char)('a' + i % 26)));
        Assert.Equal(large, await connection.InvokeAsync<string>("Echo", large));
    }

    [Fact]
    public async Task A_message_is_one_frame_however_many_buffers_it_fills()
    {
        await using var server = new DeafServer();
        await using var connection = Client(server.Url, Hurried);
        await connection.StartAsync();
        await connection.SendAsync("Echo", Enumerable.Repeat(new string('x', 1000), 300));
        Assert.InRange(await server.FirstMessage.WaitAsync(TimeSpan.FromSeconds(5)), 300_000, 302_000);
    }

    [Fact]
    public async Task Sending_waits_for_a_server_that_does_not_read()
    {
        await using var server = new DeafServer();
        await using var connection = Client(server.Url, Hurried);
        await connection.StartAsync();

        // The first one is read.
        await connection.SendAsync("Echo", new string('x', 1_000_000));
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(2));
        // The kernel's buffers take some megabytes, the pipe one more; then sending has to stop.
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            for (var sent = 1; sent < 100; sent++)
                await connection.SendAsync("Echo", new string('x', 1_000_000), patience.Token);
        });
    }

    [Fact]
    public async Task The_token_is_asked_for_at_each_connect_and_sent_as_a_header()
    {
        var tokens = 0;
        await using var connection = Client(
            Hub, options => options.AccessTokenProvider = () => Task.FromResult<string?>($"token{++tokens}"), builder => builder.WithAutomaticReconnect([TimeSpan.Zero]));
        var reconnected = new TaskCompletionSource();
        connection.Reconnected += _ =>
        {
            reconnected.SetResult();
            return Task.CompletedTask;
        };
        await connection.StartAsync();

        await connection.SendAsync("Cut");
        await reconnected.Task.WaitAsync(TimeSpan.FromSeconds(5));

        Assert.Equal("again", await connection.InvokeAsync<string>("Echo", "again"));
        Assert.Equal(["Bearer token1", "Bearer token2"], _authorizations);
    }

    [Fact]
    public async Task Headers_and_the_sockets_own_options_are_applied()
    {
        await using var connection = Client(Hub, options =>
        {
            options.Headers["Authorization"] = "Basic abc";
            options.WebSocketConfiguration = socket => socket.SetRequestHeader("X-Test", "1");
        });
        await connection.StartAsync();
        Assert.Equal("1", await connection.InvokeAsync<string>("Header", "X-Test"));
        Assert.Equal(["Basic abc"], _authorizations);
    }

    [Fact]
    public async Task A_refusal_carries_its_status_code()
    {
        await using var connection = Client(Hub, options => options.AccessTokenProvider = () => Task.FromResult<string?>("stale"));
        var exception = await Assert.ThrowsAsync<HttpRequestException>(() => connection.StartAsync());
        Assert.Equal(HttpStatusCode.Unauthorized, exception.StatusCode);
    }

    [Fact]
    public async Task A_server_that_is_not_there_is_no_refusal()
    {
        await using var connection = Client(new Uri("http://127.0.0.1:1/hub"));
        await Assert.ThrowsAsync<WebSocketException>(() => connection.StartAsync());
    }

    [Fact]
    public async Task A_server_that_accepts_and_stays_silent_is_given_up()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var url = new Uri($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}/hub");

        await using var impatient = Client(url, configureBuilder: builder => builder.Services.AddSingleton<TimeProvider>(new FastTime()));
        var exception = await Assert.ThrowsAsync<TimeoutException>(() => impatient.StartAsync().WaitAsync(TimeSpan.FromSeconds(5)));
        Assert.Contains("within 15 s", exception.Message, StringComparison.Ordinal);

        await using var cancelled = Client(url);
        using var source = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled.StartAsync(source.Token).WaitAsync(TimeSpan.FromSeconds(5), CancellationToken.None));
    }

    [Fact]
    public async Task Stopping_says_goodbye_to_a_living_server_and_does_not_wait_for_a_dead_one()
    {
        var connection = Client(Hub);
        await connection.StartAsync();
        var left = EchoHub.Left(await connection.InvokeAsync<string>("Id"));
        await connection.StopAsync();
        Assert.Null(await left.WaitAsync(TimeSpan.FromSeconds(5)));
        await connection.DisposeAsync();

        await using var server = new DeafServer();
        var time = new JumpingTime();
        await using var dead = Client(server.Url, configureBuilder: builder => builder.Services.AddSingleton<TimeProvider>(time));
        await dead.StartAsync();
        time.Timers.Clear();
        await dead.StopAsync().WaitAsync(TimeSpan.FromSeconds(30));
        // Not the five of CloseTimeout. How long it took says that only where the machine is quick.
        Assert.Contains(TimeSpan.FromSeconds(1), time.Timers);
    }

    [Fact]
    public async Task A_silent_loss_is_noticed_by_the_missing_pings()
    {
        await using var server = new DeafServer();
        await using var connection = Client(server.Url, Hurried, builder => builder.WithServerTimeout(TimeSpan.FromSeconds(1)).WithKeepAliveInterval(TimeSpan.FromSeconds(1)));
        var closed = new TaskCompletionSource<Exception?>();
        connection.Closed += exception =>
        {
            closed.SetResult(exception);
            return Task.CompletedTask;
        };
        await connection.StartAsync();
        Assert.IsType<TimeoutException>(await closed.Task.WaitAsync(TimeSpan.FromSeconds(6)));
    }

    [Theory]
    [InlineData(TransferFormat.Text, WebSocketMessageType.Text)]
    [InlineData(TransferFormat.Binary, WebSocketMessageType.Binary)]
    public async Task Frames_are_of_the_type_that_the_hub_protocol_asks_for(TransferFormat format, WebSocketMessageType expected)
    {
        await using var server = new DeafServer();
        await using var connection = Client(server.Url, Hurried, builder => builder.Services.AddSingleton<IHubProtocol>(new JsonAs(format)));
        await connection.StartAsync();
        Assert.Equal(expected, server.HandshakeType);
    }

    [Theory]
    [InlineData(HttpTransportType.LongPolling, false)]
    [InlineData(HttpTransportType.ServerSentEvents | HttpTransportType.LongPolling, false)]
    [InlineData(HttpTransportType.WebSockets | HttpTransportType.LongPolling, true)]
    public async Task Other_transports_are_refused_by_name(HttpTransportType transports, bool skipNegotiation)
    {
        await using var connection = Client(Hub, options => (options.Transports, options.SkipNegotiation) = (transports, skipNegotiation));
        var exception = await Record.ExceptionAsync(() => connection.StartAsync());
        Assert.True(exception is NotSupportedException or InvalidOperationException, exception?.ToString());
        Assert.Contains("WebSockets", exception!.Message, StringComparison.Ordinal);
    }

    private static void Hurried(HttpConnectionOptions options) => options.CloseTimeout = TimeSpan.FromMilliseconds(100);

    private static HubConnection Client(Uri url, Action<HttpConnectionOptions>? configure = null, Action<IHubConnectionBuilder>? configureBuilder = null)
    {
        var builder = new HubConnectionBuilder().WithUrl(url, options =>
        {
            options.SkipNegotiation = true;
            options.Transports = HttpTransportType.WebSockets;
            configure?.Invoke(options);
        });
        configureBuilder?.Invoke(builder);
        return builder.Build();
    }

    private static WebApplication CreateServer()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddSignalR(options => options.MaximumReceiveMessageSize = 1024 * 1024);
        return builder.Build();
    }

#pragma warning disable CA1822 // The methods of a hub are those of its instances.
    private sealed class EchoHub : Hub
    {
        private static readonly ConcurrentDictionary<string, TaskCompletionSource<Exception?>> Connections = new();

        public static Task<Exception?> Left(string connectionId) => Connections[connectionId].Task;

        public override Task OnConnectedAsync()
        {
            Connections[Context.ConnectionId] = new TaskCompletionSource<Exception?>();
            return base.OnConnectedAsync();
        }

        public override Task OnDisconnectedAsync(Exception? exception)
        {
            Connections[Context.ConnectionId].TrySetResult(exception);
            return base.OnDisconnectedAsync(exception);
        }

        public string Echo(string text) => text;

        public string Id() => Context.ConnectionId;

        public string? Header(string name) => Context.GetHttpContext()!.Request.Headers[name];

        public Task Say(string text) => Clients.All.SendAsync("Said", text);

        public void Cut() => Context.GetHttpContext()!.Abort();

        public void Fail() => throw new HubException("denied: no");

        public async IAsyncEnumerable<int> Count(int to)
        {
            for (var i = 0; i < to; i++)
            {
                await Task.Yield();
                yield return i;
            }
        }
    }
#pragma warning restore CA1822

    /// <summary>Answers the handshake of the hub protocol, reads the first message, and then neither reads nor writes.</summary>
    private sealed class DeafServer : IAsyncDisposable
    {
        private readonly WebApplication _app = CreateServer();
        private readonly TaskCompletionSource<int> _firstMessage = new();

        public DeafServer()
        {
            _app.UseWebSockets();
            _app.Run(async context =>
            {
                using var socket = await context.WebSockets.AcceptWebSocketAsync();
                var buffer = new byte[1024];
                var result = await socket.ReceiveAsync(buffer, context.RequestAborted);
                HandshakeType = result.MessageType;
                await socket.SendAsync("{}\u001e"u8.ToArray(), result.MessageType, endOfMessage: true, context.RequestAborted);

                var length = 0;
                // The first ones may be pings.
                while (length < 100)
                {
                    length = 0;
                    do
                    {
                        result = await socket.ReceiveAsync(buffer, _app.Lifetime.ApplicationStopping);
                        length += result.Count;
                    }
                    while (!result.EndOfMessage);
                }

                _firstMessage.SetResult(length);
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, _app.Lifetime.ApplicationStopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            });
            ((IHost)_app).Start();
        }

        public WebSocketMessageType? HandshakeType { get; private set; }

        public Task<int> FirstMessage => _firstMessage.Task;

        public Uri Url => new($"{_app.Urls.First()}/hub");

        public async ValueTask DisposeAsync() => await _app.DisposeAsync();
    }

    private sealed class JsonAs(TransferFormat format) : IHubProtocol
    {
        private readonly JsonHubProtocol _json = new();

        public string Name => _json.Name;

        public int Version => _json.Version;

        public TransferFormat TransferFormat => format;

        public bool IsVersionSupported(int version) => _json.IsVersionSupported(version);

        public ReadOnlyMemory<byte> GetMessageBytes(HubMessage message) => _json.GetMessageBytes(message);

        public bool TryParseMessage(ref System.Buffers.ReadOnlySequence<byte> input, IInvocationBinder binder, out HubMessage message) =>
            _json.TryParseMessage(ref input, binder, out message!);

        public void WriteMessage(HubMessage message, System.Buffers.IBufferWriter<byte> output) => _json.WriteMessage(message, output);
    }
}
