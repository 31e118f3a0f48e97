using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace RealtimeAspire.Benchmarks.Run;

/// <summary>Takes what the server under test exports and forgets it, so that its exporters work as in production.</summary>
internal sealed class TelemetrySink : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly Dictionary<string, long> _bytes = new(StringComparer.Ordinal) { ["traces"] = 0, ["metrics"] = 0, ["logs"] = 0 };

    private TelemetrySink(WebApplication app)
    {
        _app = app;
        app.MapPost("/v1/{signal}", TakeAsync);
    }

    public Uri Address => new(_app.Urls.First());

    /// <summary>How much came so far, by signal.</summary>
    public string Summary
    {
        get
        {
            lock (_bytes)
                return string.Join(", ", _bytes.Select(signal => $"{signal.Key} {signal.Value / 1024} KiB"));
        }
    }

    public static async Task<TelemetrySink> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        var sink = new TelemetrySink(builder.Build());
        await sink._app.StartAsync();
        return sink;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task<IResult> TakeAsync(string signal, HttpRequest request)
    {
        var length = 0L;
        var buffer = new byte[16 * 1024];
        while (await request.Body.ReadAsync(buffer, request.HttpContext.RequestAborted) is > 0 and var read)
            length += read;
        lock (_bytes)
            _bytes[signal] = _bytes.GetValueOrDefault(signal) + length;
        return Results.Bytes([], "application/x-protobuf");
    }
}
