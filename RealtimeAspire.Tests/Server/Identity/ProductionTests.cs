using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace RealtimeAspire.Tests.Server.Identity;

/// <summary>What is stricter outside development.</summary>
public sealed class ProductionTests
{
    private static readonly (string, string) Production = ("environment", "Production");

    [Fact]
    public async Task A_plain_connection_is_refused_but_for_probes()
    {
        await using var server = await TestServer.StartAsync(Production, ("Realtime:Tenants:Open", "true"), ("Realtime:Auth:BuiltIn", "true"));

        Assert.Equal((HttpStatusCode.Forbidden, "tls_required"), await GetAsync(server, "/topics/room:a/events"));
        Assert.Equal((HttpStatusCode.Forbidden, "tls_required"), await GetAsync(server, "/realtime"));
        Assert.Equal((HttpStatusCode.Forbidden, "tls_required"), await GetAsync(server, "/topics/room:a/events", "https"));
        Assert.Equal("not_found", (await GetAsync(server, "/health")).Code);
    }

    [Fact]
    public async Task The_word_of_a_named_proxy_counts()
    {
        await using var server = await TestServer.StartAsync(Production, ("Realtime:Tenants:Open", "true"), ("Realtime:Auth:BuiltIn", "true"), ("Realtime:TrustedProxies:0", "127.0.0.0/8"));

        Assert.Equal("forbidden", (await GetAsync(server, "/topics/room:a/events", "https")).Code);
        Assert.Equal("tls_required", (await GetAsync(server, "/topics/room:a/events", "http")).Code);
        Assert.Equal("tls_required", (await GetAsync(server, "/topics/room:a/events")).Code);
    }

    [Fact]
    public async Task There_is_no_identity_but_what_is_configured()
    {
        var none = await Assert.ThrowsAsync<OptionsValidationException>(() => TestServer.StartAsync(Production));
        var plain = await Assert.ThrowsAsync<OptionsValidationException>(() => TestServer.StartAsync(Production, ("Realtime:Auth:Authority", "http://127.0.0.1:1")));
        var secret = await Assert.ThrowsAsync<OptionsValidationException>(() => TestServer.StartAsync(Production, ("Realtime:Tenants:Open", "true"), ("Realtime:Auth:BuiltIn", "true"), ("Realtime:Auth:SigningKey", "")));

        var unsigned = await Assert.ThrowsAsync<OptionsValidationException>(() => TestServer.StartAsync(Production, ("Realtime:Auth:BuiltIn", "true"), ("Realtime:Audit:Key", "")));

        Assert.Contains("Realtime:Audit:Key", unsigned.Message, StringComparison.Ordinal);
        Assert.Contains("Realtime:Auth: nobody could sign in", none.Message, StringComparison.Ordinal);
        Assert.Contains("Realtime:Auth:Authority: must be an https address", plain.Message, StringComparison.Ordinal);
        Assert.Contains("Realtime:Auth:SigningKey: a key of 32 bytes", secret.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_name_alone_gets_no_token()
    {
        await using var server = await TestServer.StartAsync(Production, ("Realtime:Tenants:Open", "true"), ("Realtime:Auth:BuiltIn", "true"), ("Realtime:TrustedProxies:0", "127.0.0.1"));
        using var http = new HttpClient { BaseAddress = server.Address, DefaultRequestHeaders = { { "X-Forwarded-Proto", "https" } } };

        using var answer = await http.PostAsync("/auth/token", new StringContent("""{"user":"ada"}""", new MediaTypeHeaderValue("application/json")), TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        Assert.Contains("sign_in_failed", await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_token_in_a_query_is_in_no_log()
    {
        using var logs = new AllLogs();
        await using var server = await TestServer.StartAsync(
            static _ => { }, services => services.AddLogging(logging => logging.SetMinimumLevel(LogLevel.Trace).AddProvider(logs)), static _ => { });
        string[] tokens = [TestServer.Token(), TestServer.Token("bob") + "x"];
        using (await server.ConnectRawAsync(tokens[0]))
        {
            await Assert.ThrowsAnyAsync<Exception>(() => server.ConnectRawAsync(tokens[1]));
        }

        using var http = new HttpClient { BaseAddress = server.Address };
        foreach (var token in tokens)
        {
            using var stream = await http.GetAsync($"/topics/stream?topic=room:a&access_token={token}", HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        }

        Assert.NotEmpty(logs.Lines);
        Assert.DoesNotContain(logs.Lines, line => line.Contains("access_token", StringComparison.Ordinal) || tokens.Any(token => line.Contains(token.Split('.')[2], StringComparison.Ordinal)));
    }

    private static async Task<(HttpStatusCode Status, string Code)> GetAsync(TestServer server, string address, string? proto = null)
    {
        using var http = server.Http();
        if (proto is not null)
        {
            http.DefaultRequestHeaders.Add("X-Forwarded-Proto", proto);
        }

        using var response = await http.GetAsync(address, TestContext.Current.CancellationToken);
        using var body = JsonDocument.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        return (response.StatusCode, body.RootElement.TryGetProperty("code", out var code) ? code.GetString()! : "");
    }

    private sealed class AllLogs : ILoggerProvider, ILogger
    {
        public ConcurrentQueue<string> Lines { get; } = new();

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull
        {
            Lines.Enqueue($"{state}");
            return null;
        }

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Lines.Enqueue($"{formatter(state, exception)} {exception}");

        public void Dispose()
        {
        }
    }
}
