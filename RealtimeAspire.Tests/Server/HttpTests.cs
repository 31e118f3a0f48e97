using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Tests.Server;

/// <summary>The HTTP API through a real socket.</summary>
public sealed class HttpTests : IAsyncLifetime
{
    private const string Events = "/topics/room:a/events";
    private const string Event = """{"event":"app:x","payload":1}""";

    private TestServer _server = null!;
    private HttpClient _http = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartAsync();
        _http = _server.Http();
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _server.DisposeAsync();
    }

    [Theory]
    [InlineData(Events, "", "request_invalid")]
    [InlineData(Events, "{", "request_invalid")]
    [InlineData(Events, "null", "request_invalid")]
    [InlineData(Events, "7", "request_invalid")]
    [InlineData(Events, """{"event":7,"payload":1}""", "request_invalid")]
    [InlineData(Events, """{"event":"app:x","payload":1,"v":"two"}""", "request_invalid")]
    [InlineData(Events, """{"event":"app:x","payload":1,"v":1.5}""", "request_invalid")]
    [InlineData(Events, """{"event":"app:x"}""", "payload_invalid")]
    [InlineData(Events, """{"payload":1}""", "event_invalid")]
    [InlineData(Events, "[]", "batch_empty")]
    [InlineData("/topics/room/events", Event, "topic_invalid")]
    [InlineData("/topics/room%2Fa/events", Event, "topic_invalid")]
    [InlineData("/topics/thing:a/events", Event, "topic_type_unknown")]
    [InlineData("/nothing", Event, "not_found")]
    [InlineData("/health/nothing", Event, "not_found")]
    [InlineData("/search", Event, "method_not_allowed")]
    [InlineData("/auth/token", "{}", "user_invalid")]
    [InlineData("/auth/token", "[]", "request_invalid")]
    public async Task Whatever_is_wrong_with_a_body_is_said_with_a_code(string address, string body, string code)
    {
        using var response = await PostAsync(address, body);

        await IsProblemAsync(code, response);
    }

    [Theory]
    [InlineData(Events + "?limit=abc", "request_invalid")]
    [InlineData(Events + "?limit=0", "request_invalid")]
    [InlineData(Events + "?limit=99999999999999", "request_invalid")]
    [InlineData(Events + "?after=abc", "position_invalid")]
    [InlineData(Events + "?after=e:1&before=e:2", "request_invalid")]
    [InlineData("/topics/room:a/members?limit=0", "request_invalid")]
    public async Task Whatever_is_wrong_with_a_query_is_said_with_a_code(string address, string code)
    {
        using var response = await _http.GetAsync(address, TestContext.Current.CancellationToken);

        await IsProblemAsync(code, response);
    }

    /// <summary>PostgreSQL has no such character, and would have been taken for one that is away.</summary>
    [Theory]
    [InlineData("GET", "/topics/room:a/members?after=%00")]
    [InlineData("GET", "/topics/room:a/presence?after=x%00")]
    [InlineData("GET", "/topics/events?topic=room:a%00")]
    [InlineData("GET", "/topics/stream?topic=room:a&lastEventId=%00")]
    [InlineData("GET", "/rooms?after=%00")]
    [InlineData("GET", "/rooms/a/positions?after=%00")]
    [InlineData("GET", "/rooms/a/mutes?after=x%00")]
    [InlineData("GET", "/rooms/a/messages?after=1&unread=%00")]
    [InlineData("GET", "/rooms/a/search?q=%00x")]
    [InlineData("GET", "/search?q=x%00")]
    [InlineData("GET", "/notifications/1/deliveries?after=%00")]
    [InlineData("GET", "/notifications/dead-letters?after=%00")]
    [InlineData("POST", "/inbox/read?device=%00")]
    [InlineData("GET", "/signing-keys?user=%00")]
    [InlineData("GET", "/audit?actor=%00")]
    [InlineData("GET", "/connections?user=%00")]
    [InlineData("GET", "/signals?before=%00")]
    [InlineData("GET", "/tenants/default/export?after=%00")]
    public async Task There_is_no_null_character_in_what_an_address_asks_for(string method, string address)
    {
        using var request = new HttpRequestMessage(HttpMethod.Parse(method), address) { Content = method == "POST" ? Json("{}") : null };
        using var response = await _http.SendAsync(request, TestContext.Current.CancellationToken);

        await IsProblemAsync("request_invalid", response);
    }

    /// <summary>Nor in the path, which the web server itself refuses.</summary>
    [Theory]
    [InlineData("/rooms/a%00/messages")]
    [InlineData("/topics/room:a%00/members")]
    [InlineData("/notifications/1%00/deliveries")]
    [InlineData("/users/bob%00/presence")]
    public async Task Nor_is_there_one_in_the_address_itself(string address)
    {
        using var response = await _http.GetAsync(address, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
    }

    [Fact]
    public async Task Another_kind_of_body_is_refused()
    {
        using var text = await _http.PostAsync(Events, new StringContent(Event), TestContext.Current.CancellationToken);
        using var none = await _http.PostAsync(Events, null, TestContext.Current.CancellationToken);

        await IsProblemAsync("media_type_unsupported", text);
        await IsProblemAsync("media_type_unsupported", none);
    }

    [Fact]
    public async Task A_body_that_is_too_large_is_refused_before_it_is_read()
    {
        using var announced = new HttpRequestMessage(HttpMethod.Post, Events) { Content = Json(new string(' ', (4 * 1024 * 1024) + 1)) };
        announced.Headers.ExpectContinue = true;
        using var refused = await _http.SendAsync(announced, TestContext.Current.CancellationToken);
        using var chunked = new HttpRequestMessage(HttpMethod.Post, "/auth/token") { Content = Json(new string(' ', 17 * 1024)) };
        chunked.Headers.TransferEncodingChunked = true;
        using var cut = await _http.SendAsync(chunked, TestContext.Current.CancellationToken);

        await IsProblemAsync("payload_too_large", refused);
        await IsProblemAsync("payload_too_large", cut);
    }

    [Theory]
    [InlineData("/auth/token", 17 * 1024, "media_type_unsupported")]
    [InlineData(Events, (4 * 1024 * 1024) + 1, "media_type_unsupported")]
    [InlineData("/rooms/a/attachments", 5 * 1024 * 1024, "request_invalid")]
    [InlineData("/nothing", 1024 * 1024, "not_found")]
    public async Task Whoever_is_refused_before_his_long_body_is_read_keeps_his_connection(string address, int length, string code)
    {
        var connections = 0;
        using var handler = new SocketsHttpHandler
        {
            ConnectCallback = async (context, cancellationToken) =>
            {
                connections++;
                var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
                await socket.ConnectAsync(context.DnsEndPoint, cancellationToken);
                return new NetworkStream(socket, ownsSocket: true);
            },
        };
        using var http = new HttpClient(handler) { BaseAddress = _server.Address, DefaultRequestHeaders = { Authorization = _http.DefaultRequestHeaders.Authorization } };
        using var text = new StringContent(new string('x', length));

        using (var refused = await http.PostAsync(address, text, TestContext.Current.CancellationToken))
        {
            await IsProblemAsync(code, refused);
        }

        using var next = await http.PostAsync(Events, Json(Event), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.Created, next.StatusCode);
        Assert.Equal(1, connections);
    }

    [Theory]
    [InlineData("Content-Length: 30000001")]
    [InlineData("Transfer-Encoding: chunked")]
    [InlineData("Content-Length: 9\r\nExpect: 100-continue")]
    public async Task Where_a_body_is_left_unread_the_answer_says_that_the_connection_ends(string header)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Loopback, _server.Address.Port, TestContext.Current.CancellationToken);
        await socket.SendAsync(Encoding.ASCII.GetBytes($"POST /auth/token HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n{header}\r\n\r\n"));
        var (answer, buffer) = ("", new byte[4096]);
        while (!answer.Contains("media_type_unsupported", StringComparison.Ordinal))
        {
            var read = await socket.ReceiveAsync(buffer, TestContext.Current.CancellationToken);
            Assert.NotEqual(0, read);
            answer += Encoding.UTF8.GetString(buffer, 0, read);
        }

        Assert.Contains("Connection: close", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(62)]
    [InlineData(100)]
    public async Task A_payload_that_would_break_its_readers_is_refused(int depth)
    {
        using var response = await PostAsync(Events, $$"""{"event":"app:x","payload":{{new string('[', depth)}}{{new string(']', depth)}}}""");

        await IsProblemAsync(depth > 64 ? "request_invalid" : "payload_invalid", response);
    }

    [Fact]
    public async Task Without_a_token_or_with_a_wrong_one_nothing_is_told()
    {
        using var anonymous = new HttpClient { BaseAddress = _server.Address };
        using var none = await anonymous.GetAsync(Events, TestContext.Current.CancellationToken);
        await IsProblemAsync("token_required", none);

        string[] tokens = ["abc", "a.b.c", TestServer.Token() + "x", TestServer.Token(lifetime: TimeSpan.FromSeconds(-26)), new string('a', 9_000)];
        foreach (var token in tokens)
        {
            anonymous.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
            using var wrong = await anonymous.GetAsync(Events, TestContext.Current.CancellationToken);
            await IsProblemAsync("token_invalid", wrong);
        }
    }

    [Fact]
    public async Task An_array_is_applied_in_order_with_one_outcome_each()
    {
        using var response = await PostAsync(Events, """[{"event":"app:x","payload":1,"id":"a"},{"event":"no","payload":1},7,{"event":"app:x","payload":1,"id":"a"},{"event":"app:x","payload":2}]""");

        Assert.Equal(HttpStatusCode.MultiStatus, response.StatusCode);
        var outcomes = await OutcomesAsync(response);
        Assert.Equal(["1", "event_not_allowed", "request_invalid", "1", "2"], outcomes);
    }

    [Fact]
    public async Task The_publishes_of_an_array_enter_the_log_together()
    {
        var answer = new TaskCompletionSource();
        _server.Log.Answer = answer.Task;

        var posting = PostAsync(Events, $"[{string.Join(',', Enumerable.Repeat(Event, 100))}]");
        await Until.TrueAsync(() => _server.Log.Appends == 100);
        answer.SetResult();

        using var response = await posting;
        Assert.Equal(100, (await OutcomesAsync(response)).Length);
    }

    [Fact]
    public async Task An_array_stops_at_the_first_failure_that_may_pass()
    {
        await _server.DisposeAsync();
        _server = await TestServer.StartAsync(
            static _ => { },
            // The bucket does not fill while the test is slow.
            services => services.AddSingleton<TimeProvider>(new StoppedTime()),
            static _ => { },
            ("Realtime:Limits:PublishesPerSecond", "1"),
            ("Realtime:Limits:PublishBurst", "2"));
        _http = _server.Http();

        using var response = await PostAsync(Events, $"[{Event},{Event},{Event},{Event},{Event}]");

        Assert.Equal(["1", "2", "rate_limited", "not_attempted", "not_attempted"], await OutcomesAsync(response));
        Assert.Equal(2, _server.Log.Appends);
    }

    [Fact]
    public async Task What_the_log_may_have_taken_is_not_called_not_attempted()
    {
        var answer = new TaskCompletionSource();
        _server.Log.Answer = answer.Task;
        var posting = PostAsync(Events, $"[{Event},{Event},7]");
        await Until.TrueAsync(() => _server.Log.Appends == 2);
        answer.SetException(new RealtimeException(ErrorCode.LogUnavailable));

        using var response = await posting;

        Assert.Equal(["log_unavailable", "log_unavailable", "not_attempted"], await OutcomesAsync(response));
    }

    private static StringContent Json(string body) => new(body, Encoding.UTF8, "application/json");

    private static async Task<string[]> OutcomesAsync(HttpResponseMessage response)
    {
        using var body = JsonDocument.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        return [.. body.RootElement.EnumerateArray().Select(outcome => outcome.TryGetProperty("reply", out var reply)
            ? reply.GetProperty("position").GetProperty("offset").GetRawText()
            : outcome.GetProperty("error").GetProperty("code").GetString()!)];
    }

    private static async Task IsProblemAsync(string code, HttpResponseMessage response)
    {
        var text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        using var body = JsonDocument.Parse(text);
        Assert.Equal(code, body.RootElement.GetProperty("code").GetString());
        Assert.Equal((int)response.StatusCode, ErrorCode.Find(code).Status);
        Assert.NotEmpty(body.RootElement.TryGetProperty("detail", out var detail) ? detail.GetString()! : "");
    }

    private Task<HttpResponseMessage> PostAsync(string address, string body) => _http.PostAsync(address, Json(body), TestContext.Current.CancellationToken);
}
