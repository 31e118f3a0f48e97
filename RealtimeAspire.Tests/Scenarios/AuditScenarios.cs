using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Audit;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>The audit trail in a database of its own, and the verifier as an operator runs it.</summary>
[Collection(SharedTopology.Name)]
public sealed class AuditScenarios(Topology topology) : IAsyncLifetime
{
    private const string Key = "an-audit-key-of-the-tests-and-of-nobody-else";

    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private PostgresDatabase _database = null!;
    private AuditInstruments _instruments = null!;

    public async ValueTask InitializeAsync()
    {
        _database = await PostgresDatabase.CreateAsync(topology);
        _instruments = new AuditInstruments(_services.GetRequiredService<IMeterFactory>());
    }

    public async ValueTask DisposeAsync()
    {
        await _database.DisposeAsync();
        await _services.DisposeAsync();
    }

    [Fact]
    public async Task Two_writers_append_to_one_chain_and_the_verifier_finds_it_whole()
    {
        await Task.WhenAll(AppendAsync(Appender(), 100), AppendAsync(Appender(), 100));
        await SealAsync();

        Assert.Equal(Enumerable.Range(1, 200).Select(i => (long)i), await _database.ReadAllAsync<long>("select seq from realtime.audit order by seq"));
        var (code, output) = await VerifyAsync();
        Assert.True(code == 0, output);
        Assert.Contains("acme: 200 rows", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_row_that_is_edited_by_hand_is_found_and_named()
    {
        await AppendAsync(Appender(), 9);
        await SealAsync();
        await ByHandAsync("update realtime.audit set actor = 'user:eve' where seq = 5");

        var (code, output) = await VerifyAsync();

        Assert.True(code == 1, output);
        Assert.Contains("Changed: acme row 5", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_end_that_was_cut_off_is_found_also_where_the_head_was_set_back()
    {
        await AppendAsync(Appender(), 9);
        await SealAsync();
        await ByHandAsync("delete from realtime.audit where seq > 6; update realtime.audit_heads set seq = 6, hash = (select hash from realtime.audit where seq = 6)");

        var (code, output) = await VerifyAsync();

        Assert.True(code == 1, output);
        Assert.Contains("CutOff: acme row 7", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_export_is_verified_like_the_database()
    {
        var file = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():n}.jsonl");
        try
        {
            await AppendAsync(Appender(), 9);
            await SealAsync();
            var (_, exported) = await VerifyAsync("--export", file);
            var (whole, output) = await CheckerAsync("audit", "--file", file, "--key", Key);
            await File.WriteAllTextAsync(file, (await File.ReadAllTextAsync(file, Topology.Cancelled)).Replace("\"target\":\"room:3\"", "\"target\":\"room:x\"", StringComparison.Ordinal), Topology.Cancelled);
            var (edited, found) = await CheckerAsync("audit", "--file", file, "--key", Key);

            Assert.True(whole == 0, exported + output);
            Assert.True(edited == 1, found);
            Assert.Contains("Changed: acme row 4", found, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Theory]
    [InlineData("update realtime.audit set code = 'x'")]
    [InlineData("delete from realtime.audit")]
    [InlineData("truncate realtime.audit")]
    [InlineData("update realtime.audit_checkpoints set seq = 1")]
    [InlineData("delete from realtime.audit_checkpoints")]
    [InlineData("truncate realtime.audit_checkpoints")]
    public async Task It_is_only_ever_added_to(string sql)
    {
        await AppendAsync(Appender(), 1);
        await SealAsync();

        Assert.Equal("42501", (await Assert.ThrowsAsync<PostgresException>(() => _database.ExecuteAsync(sql))).SqlState);
    }

    [Fact]
    public async Task Pruning_leaves_a_chain_that_is_whole_and_of_which_nothing_else_may_be_missing()
    {
        await AppendAsync(Appender(new ShiftedTime(TimeSpan.FromDays(-70))), 5);
        await AppendAsync(Appender(), 4);
        await SealAsync();
        await using (var connection = await _database.ConnectAsync())
        {
            await Pruning().PruneAsync(connection, Topology.Cancelled);
        }

        Assert.Equal([6L, 7, 8, 9], await _database.ReadAllAsync<long>("select seq from realtime.audit order by seq"));
        var (whole, output) = await VerifyAsync();
        Assert.True(whole == 0, output);
        await ByHandAsync("delete from realtime.audit where seq = 6");
        var (code, found) = await VerifyAsync();
        Assert.True(code == 1, found);
        Assert.Contains("Missing: acme row 6", found, StringComparison.Ordinal);
    }

    [Fact]
    public async Task While_Postgres_cannot_be_reached_entries_wait_and_are_then_written_once()
    {
        using var trail = new AuditTrail(TimeProvider.System, _instruments, 1_000);
        using var writer = new AuditWriter(trail, Appender(), _instruments, TimeProvider.System, NullLogger<AuditWriter>.Instance);
        await _database.ExecuteAsync("alter table realtime.audit_heads rename to away");
        await writer.StartAsync(Topology.Cancelled);
        for (var i = 0; i < 20; i++)
        {
            trail.Record(AuditAction.Admin, "acme", AuditActor.User("ada"), $"room:{i}");
        }

        await _database.BreakConnectionsAsync();
        // Of the test's own, the broken ones are of no use any more.
        _database.DataSource.Clear();
        Assert.Equal(20, trail.Waiting);
        await _database.ExecuteAsync("alter table realtime.away rename to audit_heads");
        await Eventually.BecomesTrueAsync(() => trail.Waiting == 0, "entries wait on");
        await trail.RecordAsync(AuditAction.Admin, "acme", AuditActor.System, "last");
        await writer.StopAsync(Topology.Cancelled);

        Assert.Equal(Enumerable.Range(0, 20).Select(i => $"room:{i}").Append("last"), await _database.ReadAllAsync<string>("select target from realtime.audit order by seq"));
    }

    [Theory]
    [InlineData("Give the key", "audit", "--postgres", "Host=127.0.0.1;Port=1")]
    [InlineData("Give either --postgres or --file", "audit", "--key", Key)]
    [InlineData("The trail cannot be read", "audit", "--postgres", "Host=127.0.0.1;Port=1;Timeout=1", "--key", Key)]
    public async Task What_keeps_the_verifier_from_running_is_a_sentence(string sentence, params string[] args)
    {
        var (code, output) = await CheckerAsync(args);

        Assert.True(code == 2, output);
        Assert.Contains(sentence, output, StringComparison.Ordinal);
    }

    private static async Task AppendAsync(AuditAppender appender, int count)
    {
        for (var i = 0; i < count; i++)
        {
            var entry = new AuditEntry { Id = Guid.NewGuid(), At = TimeProvider.System.GetUtcNow(), Action = AuditAction.Admin, Tenant = "acme", Actor = AuditActor.User("ada"), Target = $"room:{i}" };
            await appender.AppendAsync([entry], again: false, Topology.Cancelled);
        }
    }

    private static async Task<(int Code, string Output)> CheckerAsync(params string[] args)
    {
        var configuration = new DirectoryInfo(AppContext.BaseDirectory);
        var assembly = Path.Combine(configuration.Parent!.Parent!.FullName, "RealtimeAspire.Checker", configuration.Name, "RealtimeAspire.Checker.dll");
        using var process = Process.Start(new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", [assembly, .. args])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(Topology.Cancelled), process.StandardError.ReadToEndAsync(Topology.Cancelled));
        await process.WaitForExitAsync(Topology.Cancelled);
        return (process.ExitCode, await output + await errors);
    }

    private AuditAppender Appender(TimeProvider? time = null) => new(_database.DataSource, AuditKey.From(Key), time ?? TimeProvider.System, _instruments);

    private AuditCheckpoints Checkpoints() => new(AuditKey.From(Key), _instruments, TimeProvider.System, NullLogger<AuditCheckpoints>.Instance);

    private AuditPruning Pruning() => new(
        Checkpoints(),
        new AuditTrail(TimeProvider.System, _instruments, 1_000),
        Microsoft.Extensions.Options.Options.Create(new RealtimeOptions { Audit = { Retention = TimeSpan.FromDays(20) } }),
        TimeProvider.System,
        NullLogger<AuditPruning>.Instance);

    private async Task SealAsync()
    {
        await using var connection = await _database.ConnectAsync();
        await Checkpoints().SealAsync(connection, all: true, Topology.Cancelled);
    }

    /// <summary>As a superuser can who turns the triggers off.</summary>
    private async Task ByHandAsync(string sql)
    {
        await using var connection = await _database.ConnectAsync();
        await using var command = new NpgsqlCommand($"set session_replication_role = replica; {sql}", connection);
        await command.ExecuteNonQueryAsync(Topology.Cancelled);
    }

    private Task<(int Code, string Output)> VerifyAsync(params string[] more) =>
        CheckerAsync(["audit", "--postgres", _database.ConnectionString, "--key", Key, .. more]);

    private sealed class ShiftedTime(TimeSpan shift) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + shift;
    }
}
