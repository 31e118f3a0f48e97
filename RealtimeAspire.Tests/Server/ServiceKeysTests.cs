using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Observability;
using RealtimeAspire.Server.Pipeline.Audit;
using RealtimeAspire.Server.Pipeline.Authorization;

namespace RealtimeAspire.Tests.Server;

/// <summary>What a node knows of service keys, while the database answers in whatever order.</summary>
public sealed class ServiceKeysTests : IDisposable
{
    private const string Subject = "key:shop";

    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly AuditTrail _audit;
    private readonly HeldSource _source = new();
    private readonly ServiceKeys _keys;

    public ServiceKeysTests()
    {
        _audit = new AuditTrail(TimeProvider.System, new AuditInstruments(_services.GetRequiredService<IMeterFactory>()), 100);
        _keys = new ServiceKeys(_source, _audit, TimeProvider.System);
    }

    private static ServiceKey Good { get; } = new("shop", "default", [1], null, null, new Grants([]), null, IsRevoked: false);

    private static ServiceKey Revoked => Good with { IsRevoked = true };

    public void Dispose()
    {
        _audit.Dispose();
        _services.Dispose();
    }

    /// <summary>The first read of a key found it good; it was revoked and the node was told, which knew no such key yet; then the read went on.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_key_that_is_revoked_while_it_is_read_for_the_first_time_does_not_count(bool isTold)
    {
        var first = _keys.FindAsync(Subject, Cancelled).AsTask();
        var reload = isTold ? _keys.ReloadAsync("shop", Cancelled) : _keys.ReloadAllAsync(Cancelled);
        _source.Answer(1, Revoked);
        await reload;

        _source.Answer(0, Good);

        Assert.Null(await first);
        Assert.Null(await _keys.FindAsync(Subject, Cancelled));
        Assert.Equal(2, _source.Reads);
    }

    [Fact]
    public async Task The_same_where_the_first_read_is_over_before_the_second()
    {
        var first = _keys.FindAsync(Subject, Cancelled).AsTask();
        var reload = _keys.ReloadAsync("shop", Cancelled);
        _source.Answer(0, Good);
        Assert.NotNull(await first);

        _source.Answer(1, Revoked);
        await reload;

        Assert.Null(await _keys.FindAsync(Subject, Cancelled));
    }

    [Fact]
    public async Task Of_reloads_that_cross_the_one_that_began_last_counts()
    {
        var first = _keys.FindAsync(Subject, Cancelled).AsTask();
        _source.Answer(0, Good);
        await first;
        var (old, current) = (_keys.ReloadAsync("shop", Cancelled), _keys.ReloadAsync("shop", Cancelled));
        _source.Answer(2, Revoked);
        await current;

        _source.Answer(1, Good);
        await old;

        Assert.Null(await _keys.FindAsync(Subject, Cancelled));
    }

    [Fact]
    public async Task A_key_that_is_made_while_it_is_looked_for_is_known_at_once()
    {
        var (id, secret) = ServiceKey.Make();
        var text = ServiceKey.ToText(id, secret);
        var early = _keys.AuthenticateAsync(text, default, Cancelled).AsTask();
        var reload = _keys.ReloadAsync(id, Cancelled);
        _source.Answer(0, null);
        await Assert.ThrowsAsync<RealtimeException>(() => early);

        _source.Answer(1, Good with { Id = id, Hash = ServiceKey.HashOf(secret) });
        await reload;

        Assert.Equal($"key:{id}", (await _keys.AuthenticateAsync(text, default, Cancelled)).UserId);
        Assert.Equal(2, _source.Reads);
    }

    [Fact]
    public async Task A_change_of_a_key_that_the_node_has_not_met_is_not_read()
    {
        await _keys.ReloadAsync("shop", Cancelled);
        await _keys.ReloadAllAsync(Cancelled);

        Assert.Equal(0, _source.Reads);
    }

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    /// <summary>Answers each read when the test says so.</summary>
    private sealed class HeldSource : IServiceKeySource
    {
        private readonly List<TaskCompletionSource<ServiceKey?>> _reads = [];

        public int Reads => _reads.Count;

        public void Answer(int read, ServiceKey? key) => _reads[read].SetResult(key);

        public Task<ServiceKey?> FindAsync(string id, CancellationToken cancellationToken)
        {
            var read = new TaskCompletionSource<ServiceKey?>();
            _reads.Add(read);
            return read.Task;
        }

        public Task SetUsedAsync(string id, DateTimeOffset at, CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
