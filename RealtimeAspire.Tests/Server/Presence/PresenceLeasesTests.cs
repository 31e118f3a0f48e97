using RealtimeAspire.Server.Features.Presence;

namespace RealtimeAspire.Tests.Server.Presence;

public sealed class PresenceLeasesTests
{
    private const long Self = 1;
    private const long Other = 2;

    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(10);

    private readonly StoppedTime _time = new();
    private readonly PresenceLeases _leases;
    private (bool WasKnown, IReadOnlySet<long> Nodes)? _answer = (true, new HashSet<long> { Self, Other });
    private int _forgotten;

    public PresenceLeasesTests()
    {
        _leases = new PresenceLeases(() => Task.FromResult(_answer), Lease, _time);
        _leases.Forgotten += () => _forgotten++;
    }

    [Fact]
    public async Task Whoever_has_no_lease_any_more_is_gone()
    {
        Assert.True(_leases.IsAlive(Other));
        await _leases.BeatAsync();
        Assert.True(_leases.IsAlive(Other));

        _answer = (true, new HashSet<long> { Self });
        _time.GoOn(TimeSpan.FromSeconds(2));
        await _leases.BeatAsync();

        Assert.False(_leases.IsAlive(Other));
        Assert.Equal(0, _forgotten);
    }

    [Fact]
    public async Task Who_was_heard_since_the_last_beat_is_alive()
    {
        _answer = (true, new HashSet<long> { Self });
        await _leases.BeatAsync();
        _time.GoOn(TimeSpan.FromSeconds(1));

        Assert.True(_leases.IsAlive(Other, _time.GetTimestamp()));
        await _leases.BeatAsync();
        Assert.False(_leases.IsAlive(Other, heardAt: 1));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task After_Redis_has_forgotten_nobody_counts_as_gone_for_the_time_of_a_lease(bool answers)
    {
        await _leases.BeatAsync();
        _answer = answers ? (false, new HashSet<long> { Self }) : null;
        await _leases.BeatAsync();
        _answer = (true, new HashSet<long> { Self });
        await _leases.BeatAsync();

        Assert.Equal(answers ? 1 : 0, _forgotten);
        Assert.True(_leases.IsAlive(Other));
        _time.GoOn(Lease);
        Assert.False(_leases.IsAlive(Other));
    }

    [Fact]
    public async Task A_node_that_has_just_started_sees_no_ghost_of_one_that_was_gone_before()
    {
        _answer = (false, new HashSet<long> { Self });
        await _leases.BeatAsync();

        Assert.False(_leases.IsAlive(Other));
        Assert.Equal(0, _forgotten);
    }
}
