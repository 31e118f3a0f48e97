using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Observability;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Limits;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Tests.Server;

/// <summary>The appender while there is no Postgres.</summary>
public sealed class PostgresAppenderTests : IAsyncDisposable
{
    private readonly RealtimeTracing _tracing = new();
    private readonly NpgsqlDataSource _nowhere = NpgsqlDataSource.Create("Host=127.0.0.1;Port=1;Timeout=1");
    private PostgresAppender? _appender;

    public async ValueTask DisposeAsync()
    {
        await _appender!.StopAsync(CancellationToken.None);
        _appender.Dispose();
        await _nowhere.DisposeAsync();
        _tracing.Dispose();
    }

    [Fact]
    public async Task What_waits_is_bounded_in_bytes_and_no_user_and_no_tenant_has_all_of_it()
    {
        _appender = Make(new LimitOptions { WaitingBytes = 1024 * 1024 });
        var mine = Enumerable.Range(0, 20).Select(i => AppendAsync($"{i}", 64 * 1024)).ToList();
        var ours = Enumerable.Range(0, 20).Select(i => AppendAsync("x", 64 * 1024, $"user {i}")).ToList();
        var theirs = Enumerable.Range(0, 20).Select(i => AppendAsync("x", 64 * 1024, $"user {i}", "other")).ToList();

        Assert.Equal((3, 11, 1), (WaitingOf(mine), WaitingOf(ours), WaitingOf(theirs)));
        Assert.Equal("overloaded", (await Assert.ThrowsAsync<RealtimeException>(() => mine[3])).Code);
        await _appender.StartAsync(TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task A_publish_fails_as_retryable_when_its_time_is_over_and_makes_room()
    {
        _appender = Make(new LimitOptions { PublishTimeoutSeconds = 1, WaitingBytes = 1024 * 1024 });
        await _appender.StartAsync(TestContext.Current.CancellationToken);

        for (var i = 0; i < 2; i++)
        {
            var failed = await Assert.ThrowsAsync<RealtimeException>(() => AppendAsync($"{i}", 900 * 1024));
            Assert.Equal(ErrorCode.LogUnavailable, failed.Error);
        }
    }

    [Fact]
    public async Task A_node_that_stops_answers_what_it_has_taken()
    {
        _appender = Make(new LimitOptions { PublishTimeoutSeconds = 300 });
        await _appender.StartAsync(TestContext.Current.CancellationToken);
        var appends = Enumerable.Range(0, 3_000).Select(i => AppendAsync($"{i}", 1)).ToList();

        await _appender.StopAsync(TestContext.Current.CancellationToken);

        foreach (var append in appends)
        {
            Assert.Equal("log_unavailable", (await Assert.ThrowsAsync<RealtimeException>(() => append)).Code);
        }

        Assert.Equal("overloaded", (await Assert.ThrowsAsync<RealtimeException>(() => AppendAsync("late", 1))).Code);
    }

    private static int WaitingOf(IEnumerable<Task> appends) => appends.Count(append => !append.IsCompleted);

    private Task<AppendOutcome> AppendAsync(string id, int bytes, string user = "ada", string tenant = "default") => _appender!.AppendAsync(
        new Append
        {
            Topic = new TopicKey(tenant, TopicName.Parse("room:a")),
            Started = TimeProvider.System.GetTimestamp(),
            Publisher = user,
            Id = id,
            Event = "app:x",
            Version = 1,
            Payload = new byte[bytes],
            ContentHash = [],
        },
        _ => { });

    private PostgresAppender Make(LimitOptions limits)
    {
        var options = Microsoft.Extensions.Options.Options.Create(new RealtimeOptions { Limits = limits });
        return new PostgresAppender(_nowhere, new TopicCatalog(options), options, _tracing, TimeProvider.System, NullLogger<PostgresAppender>.Instance);
    }
}
