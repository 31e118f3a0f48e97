using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using OpenTelemetry;
using OpenTelemetry.Trace;

namespace RealtimeAspire.Tests.ServiceDefaults;

/// <summary>A service with the defaults, on a free port, whose spans and log lines are kept.</summary>
internal sealed class ServiceDefaultsApp : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly KeptSpans _spans = new();
    private readonly KeptLines _lines = new();

    private ServiceDefaultsApp(string environment, Dictionary<string, string?>? settings, Action<WebApplicationBuilder>? configure)
    {
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { EnvironmentName = environment });
        builder.Logging.ClearProviders().AddProvider(_lines);
        builder.Configuration.AddInMemoryCollection(settings ?? []);
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.AddServiceDefaults();
        builder.Services.ConfigureOpenTelemetryTracerProvider(traces => traces.AddProcessor(new SimpleActivityExportProcessor(_spans)));
        configure?.Invoke(builder);
        _app = builder.Build();
    }

    public Uri Url => new(_app.Urls.First());

    public IServiceProvider Services => _app.Services;

    public HttpClient Client { get; } = new();

    public string LogText => string.Join('\n', _lines.Lines);

    public IReadOnlyList<Activity> AllSpans => [.. _spans.Spans];

    /// <summary>Of this server only, as others of the process write to the same source. A span ends shortly after the client has its answer.</summary>
    public async Task<IReadOnlyList<Activity>> RequestsAsync(int count)
    {
        Activity[] requests = [];
        await Eventually.BecomesTrueAsync(
            () =>
            {
                requests = [.. AllSpans.Where(span => span.Kind == ActivityKind.Server && Equals(span.GetTagItem("server.port"), Url.Port))];
                return requests.Length >= count;
            },
            $"not {count} requests have a span");
        return requests;
    }

    public static async Task<ServiceDefaultsApp> StartAsync(
        Action<WebApplication>? map = null, string? environment = null, Dictionary<string, string?>? settings = null, Action<WebApplicationBuilder>? configure = null)
    {
        var app = new ServiceDefaultsApp(environment ?? Environments.Production, settings, configure);
        app._app.MapDefaultEndpoints();
        map?.Invoke(app._app);
        await app._app.StartAsync();
        app.Client.BaseAddress = app.Url;
        return app;
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _app.DisposeAsync();
    }

    private sealed class KeptSpans : BaseExporter<Activity>
    {
        public ConcurrentQueue<Activity> Spans { get; } = new();

        public override ExportResult Export(in Batch<Activity> batch)
        {
            foreach (var span in batch)
                Spans.Enqueue(span);
            return ExportResult.Success;
        }
    }

    /// <summary>Everything that a log line could show: text, attributes, scopes.</summary>
    private sealed class KeptLines : ILoggerProvider, ILogger, ISupportExternalScope
    {
        private IExternalScopeProvider? _scopes;

        public ConcurrentQueue<string> Lines { get; } = new();

        public ILogger CreateLogger(string categoryName) => this;

        public void SetScopeProvider(IExternalScopeProvider scopeProvider) => _scopes = scopeProvider;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            Lines.Enqueue($"{formatter(state, exception)} {exception}");
            if (state is IEnumerable<KeyValuePair<string, object?>> attributes)
                Lines.Enqueue(string.Join(' ', attributes));
            _scopes?.ForEachScope((scope, lines) => lines.Enqueue($"{scope}"), Lines);
        }

        public void Dispose()
        {
        }
    }
}
