using System.Diagnostics;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Options;
using Xunit;

namespace RealtimeAspire.Tests.ServiceDefaults;

public sealed class RequestTelemetryTests
{
    [Fact]
    public async Task A_request_is_one_span_with_route_path_and_status()
    {
        await using var app = await ServiceDefaultsApp.StartAsync(app => app.MapGet("/topics/{topic}/events", (string topic) => topic));
        await app.Client.GetAsync(new Uri("/topics/room:1/events?access_token=SECRET", UriKind.Relative));

        var span = Assert.Single(await app.RequestsAsync(1));
        Assert.Equal("GET /topics/{topic}/events", span.DisplayName);
        Assert.Equal("/topics/{topic}/events", span.GetTagItem("http.route"));
        Assert.Equal("/topics/room:1/events", span.GetTagItem("url.path"));
        Assert.Equal("GET", span.GetTagItem("http.request.method"));
        Assert.Equal(200, span.GetTagItem("http.response.status_code"));
        Assert.Equal(ActivityStatusCode.Unset, span.Status);
    }

    [Fact]
    public async Task A_clients_mistake_is_no_error_of_the_span_and_a_failure_of_ours_is()
    {
        await using var app = await ServiceDefaultsApp.StartAsync(app =>
        {
            app.MapGet("/throw", void () => throw new InvalidOperationException());
            app.MapGet("/unavailable", () => Results.StatusCode(503));
        });

        foreach (var path in new[] { "/missing", "/throw", "/unavailable" })
            await app.Client.GetAsync(new Uri(path, UriKind.Relative));

        Assert.Equal(
            [("GET", 404, ActivityStatusCode.Unset, null), ("GET /throw", 500, ActivityStatusCode.Error, "System.InvalidOperationException"), ("GET /unavailable", 503, ActivityStatusCode.Error, "503")],
            (await app.RequestsAsync(3)).Select(span => (span.DisplayName, (int)span.GetTagItem("http.response.status_code")!, span.Status, (string?)span.GetTagItem("error.type"))));
    }

    [Fact]
    public async Task The_callers_trace_goes_on_here()
    {
        await using var app = await ServiceDefaultsApp.StartAsync(app => app.MapGet("/x", () => ""));
        using var request = new HttpRequestMessage(HttpMethod.Get, "/x") { Headers = { { "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" } } };
        await app.Client.SendAsync(request);
        Assert.Equal("0af7651916cd43dd8448eb211c80319c", Assert.Single(await app.RequestsAsync(1)).TraceId.ToHexString());
    }

    [Fact]
    public async Task An_access_token_in_the_query_reaches_neither_logs_nor_spans_whatever_is_configured()
    {
        await using var app = await ServiceDefaultsApp.StartAsync(
            app =>
            {
                app.MapGet("/x", () => "");
                app.MapGet("/throw", void () => throw new InvalidOperationException());
            },
            environment: "Development",
            settings: new()
            {
                ["Logging:LogLevel:Default"] = "Trace",
                ["Logging:LogLevel:Microsoft.AspNetCore"] = "Trace",
                ["Logging:LogLevel:Microsoft.AspNetCore.Hosting.Diagnostics"] = "Trace",
                ["Logging:KeptLines:LogLevel:Default"] = "Trace",
                ["Logging:RealtimeAspire.Tests.ServiceDefaults.ServiceDefaultsApp+KeptLines:LogLevel:Default"] = "Trace",
            });

        foreach (var path in new[] { "/x", "/missing", "/throw", "/health", "/x" })
            await app.Client.GetAsync(new Uri($"{path}?access_token=SECRET", UriKind.Relative));

        Assert.Equal(4, (await app.RequestsAsync(4)).Count);
        Assert.Contains("Executed endpoint", app.LogText, StringComparison.Ordinal);
        Assert.DoesNotContain("SECRET", app.LogText, StringComparison.Ordinal);
        Assert.DoesNotContain(app.AllSpans.SelectMany(span => span.TagObjects), tag => $"{tag.Value}".Contains("SECRET", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("Production", ConsoleFormatterNames.Json)]
    [InlineData("Development", null)]
    public async Task Outside_development_console_lines_are_json(string environment, string? formatter)
    {
        await using var app = await ServiceDefaultsApp.StartAsync(environment: environment, configure: builder => builder.Logging.AddConsole());
        Assert.Equal(formatter, app.Services.GetRequiredService<IOptions<ConsoleLoggerOptions>>().Value.FormatterName);
    }
}
