using RealtimeAspire.Server.Pipeline.Limits;
using Xunit;

namespace RealtimeAspire.Tests.Server;

public sealed class FairPlacesTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly FairPlaces<string> _places = new(each: 2);

    [Fact]
    public async Task Who_has_all_his_places_waits_and_others_do_not()
    {
        Assert.True(await EnterAsync("eve"));
        Assert.True(await EnterAsync("eve"));
        var waiting = EnterAsync("eve");

        Assert.True(await EnterAsync("ada"));
        Assert.False(waiting.IsCompleted);
        _places.Leave("eve");
        Assert.True(await waiting);
    }

    [Fact]
    public async Task Who_has_waited_long_enough_or_gives_up_leaves_nothing_behind()
    {
        using var gone = new CancellationTokenSource();
        await EnterAsync("eve");
        await EnterAsync("eve");
        var waiting = _places.TryEnterAsync("eve", Patience, gone.Token).AsTask();

        Assert.False(await _places.TryEnterAsync("eve", TimeSpan.FromMilliseconds(1), TestContext.Current.CancellationToken));
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        _places.Leave("eve");
        _places.Leave("eve");

        Assert.Equal(0, _places.Count);
        Assert.True(await EnterAsync("eve"));
    }

    private Task<bool> EnterAsync(string who) => _places.TryEnterAsync(who, Patience, TestContext.Current.CancellationToken).AsTask();
}
