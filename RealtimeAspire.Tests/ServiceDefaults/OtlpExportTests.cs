using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Xunit;

namespace RealtimeAspire.Tests.ServiceDefaults;

public sealed class OtlpExportTests
{
    [Fact]
    public async Task Logs_traces_and_metrics_go_to_the_address_that_aspire_gives()
    {
        await using var collector = await Collector.StartAsync();
        await using (var app = await ServiceDefaultsApp.StartAsync(app => app.MapGet("/exported", () => ""), settings: new()
        {
            ["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.Url,
            ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "grpc",
            ["OTEL_EXPORTER_OTLP_HEADERS"] = "x-otlp-api-key=key1",
            ["OTEL_SERVICE_NAME"] = "api-under-test",
            ["OTEL_BSP_SCHEDULE_DELAY"] = "100",
            ["OTEL_BLRP_SCHEDULE_DELAY"] = "100",
            ["OTEL_METRIC_EXPORT_INTERVAL"] = "100",
        }))
        {
            await app.Client.GetAsync(new Uri("/exported", UriKind.Relative));
            var logger = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("Test");
            logger.LogInformation("Hello collector");

            // While it runs, not only by the last flush at its end.
            await collector.UntilAsync("trace.v1.TraceService", "api-under-test", "GET /exported", "http.route");
            await collector.UntilAsync("metrics.v1.MetricsService", "api-under-test", "http.server.request.duration");
            await collector.UntilAsync("logs.v1.LogsService", "api-under-test", "Hello collector");
        }

        Assert.All(collector.Keys, key => Assert.Equal("key1", key));
    }

    /// <summary>Takes OTLP over gRPC on plaintext HTTP/2, as Aspire's dashboard does, and answers with an empty message.</summary>
    private sealed class Collector : IAsyncDisposable
    {
        private readonly WebApplication _app;
        private readonly ConcurrentDictionary<string, string> _received = new();

        private Collector()
        {
            var builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2));
            _app = builder.Build();
            _app.MapPost("/opentelemetry.proto.collector.{service}/Export", TakeAsync);
        }

        public string Url => _app.Urls.First();

        public ConcurrentQueue<string?> Keys { get; } = new();

        public static async Task<Collector> StartAsync()
        {
            var collector = new Collector();
            await collector._app.StartAsync();
            return collector;
        }

        public Task UntilAsync(string service, params string[] texts) => Eventually.BecomesTrueAsync(
            () => texts.All(text => _received.GetValueOrDefault(service, "").Contains(text, StringComparison.Ordinal)), $"{service} is not sent all of it");

        public async ValueTask DisposeAsync() => await _app.DisposeAsync();

        private async Task TakeAsync(string service, HttpContext context)
        {
            using var body = new StreamReader(context.Request.Body, Encoding.Latin1);
            var text = await body.ReadToEndAsync();
            _received.AddOrUpdate(service, text, (_, earlier) => earlier + text);
            Keys.Enqueue(context.Request.Headers["x-otlp-api-key"]);

            context.Response.ContentType = "application/grpc";
            await context.Response.Body.WriteAsync(new byte[5]);
            context.Response.AppendTrailer("grpc-status", "0");
        }
    }
}
