using System.Net;
using System.Text;
using Microsoft.Extensions.DependencyInjection;

namespace RealtimeAspire.Tests.Server;

/// <summary>What HTTP's own machinery is told: caches, preflights, proxies, methods.</summary>
public sealed class HttpCachingTests : IAsyncLifetime
{
    private const string Events = "/topics/room:a/events";
    private const string Origin = "https://app.example";

    private TestServer _server = null!;
    private HttpClient _http = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartAsync(
            static _ => { },
            // No bucket fills while a test is slow.
            services => services.AddSingleton<TimeProvider>(new StoppedTime()),
            static _ => { },
            ("Realtime:AllowedOrigins:0", Origin), ("Realtime:Limits:PublishesPerSecond", "1"), ("Realtime:Limits:PublishBurst", "3"));
        _http = _server.Http();
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task A_page_that_is_known_is_not_sent_again_until_it_has_changed()
    {
        await PublishAsync();
        using var page = await SendAsync(HttpMethod.Get, Events);
        using var same = await SendAsync(HttpMethod.Get, Events, ("If-None-Match", $"\"other\", {page.Headers.ETag}"));
        await PublishAsync();
        using var changed = await SendAsync(HttpMethod.Get, Events, ("If-None-Match", $"{page.Headers.ETag}"));

        Assert.True(page.Headers.CacheControl is { Private: true, NoCache: true });
        Assert.Equal((HttpStatusCode.NotModified, page.Headers.ETag), (same.StatusCode, same.Headers.ETag));
        Assert.Equal("", await same.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        Assert.Equal(HttpStatusCode.OK, changed.StatusCode);
        Assert.NotEqual(page.Headers.ETag, changed.Headers.ETag);
    }

    [Fact]
    public async Task The_older_events_of_a_topic_that_goes_on_stay_known()
    {
        await PublishAsync();
        await PublishAsync();
        using var page = await SendAsync(HttpMethod.Get, $"{Events}?limit=1");
        await PublishAsync();
        using var same = await SendAsync(HttpMethod.Get, $"{Events}?limit=1", ("If-None-Match", $"{page.Headers.ETag}"));

        Assert.Equal(HttpStatusCode.NotModified, same.StatusCode);
    }

    [Fact]
    public async Task Without_its_body_a_page_has_the_same_headers()
    {
        await PublishAsync();
        using var page = await SendAsync(HttpMethod.Get, Events);
        using var head = await SendAsync(HttpMethod.Head, Events);

        Assert.Equal((page.StatusCode, page.Headers.ETag), (head.StatusCode, head.Headers.ETag));
        Assert.Equal(page.Content.Headers.ContentType, head.Content.Headers.ContentType);
        Assert.Equal("", await head.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData(Events, "GET, HEAD, POST")]
    [InlineData("/topics/events", "GET, HEAD")]
    [InlineData("/topics/stream", "GET, HEAD")]
    [InlineData("/auth/token", "POST")]
    public async Task An_address_says_which_methods_it_takes(string address, string methods)
    {
        using var options = await SendAsync(HttpMethod.Options, address);
        using var wrong = await SendAsync(HttpMethod.Patch, address);

        Assert.Equal((HttpStatusCode.NoContent, methods), (options.StatusCode, AllowOf(options)));
        Assert.Equal((HttpStatusCode.MethodNotAllowed, methods), (wrong.StatusCode, AllowOf(wrong)));
    }

    [Fact]
    public async Task At_an_address_that_is_none_there_are_no_methods()
    {
        using var options = await SendAsync(HttpMethod.Options, "/nothing");

        Assert.Equal(HttpStatusCode.NotFound, options.StatusCode);
    }

    [Fact]
    public async Task A_page_of_an_allowed_origin_may_send_and_read_what_it_needs()
    {
        using var preflight = await SendAsync(
            HttpMethod.Options,
            Events,
            ("Origin", Origin),
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "authorization,idempotency-key,if-none-match,last-event-id,content-type"));
        using var page = await SendAsync(HttpMethod.Get, Events, ("Origin", Origin));
        using var other = await SendAsync(HttpMethod.Get, Events, ("Origin", "https://other.example"));

        Assert.Equal(HttpStatusCode.NoContent, preflight.StatusCode);
        Assert.Equal(Origin, HeaderOf(preflight, "Access-Control-Allow-Origin"));
        Assert.Equal("authorization,idempotency-key,if-none-match,last-event-id,content-type", HeaderOf(preflight, "Access-Control-Allow-Headers"));
        Assert.Contains("POST", HeaderOf(preflight, "Access-Control-Allow-Methods"), StringComparison.Ordinal);
        Assert.Equal("600", HeaderOf(preflight, "Access-Control-Max-Age"));
        Assert.Equal("ETag,Retry-After", HeaderOf(page, "Access-Control-Expose-Headers"));
        Assert.False(other.Headers.Contains("Access-Control-Allow-Origin"));
    }

    [Fact]
    public async Task Who_publishes_too_fast_is_told_when_to_try_again()
    {
        for (var i = 0; i < 3; i++)
        {
            await PublishAsync();
        }

        using var refused = await _http.PostAsync(Events, Event(), TestContext.Current.CancellationToken);

        Assert.Equal((HttpStatusCode.TooManyRequests, TimeSpan.FromSeconds(1)), (refused.StatusCode, refused.Headers.RetryAfter?.Delta));
    }

    [Fact]
    public async Task While_the_log_is_away_the_answer_says_when_to_try_again_and_is_not_kept()
    {
        _server.Log.IsDown = true;
        using var failed = await SendAsync(HttpMethod.Get, Events);

        Assert.Equal((HttpStatusCode.ServiceUnavailable, TimeSpan.FromSeconds(1)), (failed.StatusCode, failed.Headers.RetryAfter?.Delta));
        Assert.True(failed.Headers.CacheControl?.NoStore);
    }

    private static StringContent Event() => new("""{"event":"app:x","payload":1}""", Encoding.UTF8, "application/json");

    private static string AllowOf(HttpResponseMessage response) => string.Join(", ", response.Content.Headers.Allow.Order(StringComparer.Ordinal));

    private static string? HeaderOf(HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out var values) ? string.Join(',', values) : null;

    private async Task PublishAsync()
    {
        using var response = await _http.PostAsync(Events, Event(), TestContext.Current.CancellationToken);
        response.EnsureSuccessStatusCode();
    }

    private Task<HttpResponseMessage> SendAsync(HttpMethod method, string address, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(method, address);
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        return _http.SendAsync(request, TestContext.Current.CancellationToken);
    }
}
