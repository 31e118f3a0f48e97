using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using OpenTelemetry;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using Xunit;

namespace RealtimeAspire.Tests.StandIns.OpenTelemetryHosting;

public sealed class OpenTelemetryHostingTests
{
    [Fact]
    public async Task Spans_are_collected_from_the_start_of_the_host_though_nobody_asks_for_a_provider()
    {
        var name = $"test.{Guid.NewGuid()}";
        var exporter = new Exporter();
        var builder = Host.CreateApplicationBuilder();
        builder.Services.AddHostedService(_ => new SpanAtStart(name));
        builder.Services.AddOpenTelemetry()
            .ConfigureResource(resource => resource.AddAttributes([new("test.resource", "set")]))
            .WithTracing(traces => traces.AddSource(name).AddProcessor(new SimpleActivityExportProcessor(exporter)));

        using var host = builder.Build();
        await host.StartAsync();

        // The service was registered first and still is seen.
        Assert.Equal(["at start"], exporter.Names);
        Assert.Contains(exporter.Resource!.Attributes, attribute => attribute is { Key: "test.resource", Value: "set" });
        await host.StopAsync();
    }

    [Fact]
    public void Every_call_configures_the_same_telemetry()
    {
        var (one, two) = ($"one.{Guid.NewGuid()}", $"two.{Guid.NewGuid()}");
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddOpenTelemetry().WithTracing(traces => traces.AddSource(one));
        builder.Services.AddOpenTelemetry().WithTracing(traces => traces.AddSource(two));

        using var host = builder.Build();
        Assert.Single(host.Services.GetServices<IHostedService>());
        Assert.Single(host.Services.GetServices<TracerProvider>());
        using var first = new ActivitySource(one);
        using var second = new ActivitySource(two);
        Assert.True(first.HasListeners() && second.HasListeners());
    }

    private sealed class SpanAtStart(string source) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken)
        {
            using var activities = new ActivitySource(source);
            activities.StartActivity("at start")?.Dispose();
            return Task.CompletedTask;
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }

    private sealed class Exporter : BaseExporter<Activity>
    {
        public List<string> Names { get; } = [];

        public Resource? Resource { get; private set; }

        public override ExportResult Export(in Batch<Activity> batch)
        {
            Resource = ParentProvider.GetResource();
            foreach (var activity in batch)
                Names.Add(activity.DisplayName);
            return ExportResult.Success;
        }
    }
}
