using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Logging;
using Xunit;

namespace RealtimeAspire.Tests.StandIns.Dashboard;

public sealed class ResourceLoggerTests : IDisposable
{
    private static readonly DateTime Noon = new(2030, 1, 2, 12, 0, 0, DateTimeKind.Utc);

    private readonly ResourceLoggerService _loggers = new() { Time = new FixedTime() };

    public void Dispose() => _loggers.Dispose();

    [Fact(Timeout = 10_000)]
    public async Task A_watcher_gets_the_backlog_then_what_is_written_until_the_end()
    {
        _loggers.AddLog("api", "from the process", isError: false, Noon.AddSeconds(-1));
        _loggers.GetLogger("api").LogError("it {Verb}", "failed");

        var seen = new List<LogLine>();
        await foreach (var batch in _loggers.WatchAsync("api"))
        {
            seen.AddRange(batch);
            if (seen.Count == 2)
                _loggers.AddLog("api", "later", isError: false, Noon);
            else
                _loggers.Complete("api");
        }

        Assert.Equal(
        [
            new LogLine(1, "2030-01-02T11:59:59.0000000Z from the process", IsErrorMessage: false),
            new LogLine(2, "2030-01-02T12:00:00.0000000Z it failed", IsErrorMessage: true),
            new LogLine(3, "2030-01-02T12:00:00.0000000Z later", IsErrorMessage: false),
        ], seen);
    }

    [Fact]
    public async Task The_backlog_keeps_the_last_ten_thousand_lines()
    {
        for (var i = 1; i <= 25_500; i++)
            _loggers.AddLog("api", $"line {i}", isError: false, Noon);

        var lines = await AllAsync("api");
        Assert.Equal(10_000, lines.Count);
        Assert.Equal(15_501, lines[0].LineNumber);
        Assert.EndsWith(" line 25500", lines[^1].Content, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_resource_logs_to_all_its_replicas()
    {
        _loggers.GetLogger(TestApp.Replicated("api", "api-1", "api-2")).LogInformation("waiting");
        _loggers.AddLog("api-2", "only here", isError: false, Noon);
        Assert.Single(await AllAsync("api-1"));
        Assert.Equal(2, (await AllAsync("api-2")).Count);
    }

    [Fact(Timeout = 10_000)]
    public async Task A_watcher_that_leaves_is_not_waited_for()
    {
        using var leave = new CancellationTokenSource();
        var watch = Task.Run(async () =>
        {
            await foreach (var batch in _loggers.WatchAsync("quiet").WithCancellation(leave.Token))
                Assert.Fail($"Nothing was written, and {batch.Count} lines came.");
        });
        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => watch);
    }

    private async Task<List<LogLine>> AllAsync(string id)
    {
        var lines = new List<LogLine>();
        await foreach (var batch in _loggers.GetAllAsync(id))
            lines.AddRange(batch);
        return lines;
    }

    private sealed class FixedTime : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => new(Noon);
    }
}
