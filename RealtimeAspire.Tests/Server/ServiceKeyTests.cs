using RealtimeAspire.Server.Pipeline.Authorization;

namespace RealtimeAspire.Tests.Server;

public sealed class ServiceKeyTests
{
    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch.AddYears(60);

    [Fact]
    public void A_key_is_known_by_its_secret_of_which_only_a_hash_is_kept()
    {
        var (id, secret) = ServiceKey.Make();
        var text = ServiceKey.ToText(id, secret);

        Assert.True(ServiceKey.TryParse(text, out var found, out var hash));

        Assert.Equal(id, found);
        Assert.True(Key(ServiceKey.HashOf(secret)).Fits(hash, Now));
        Assert.False(Key(ServiceKey.HashOf(ServiceKey.Make().Secret)).Fits(hash, Now));
    }

    [Fact]
    public void After_a_rotation_the_secret_before_counts_until_its_moment()
    {
        var (old, current) = (ServiceKey.HashOf("old"), ServiceKey.HashOf("current"));
        var key = Key(current) with { PreviousHash = old, PreviousUntil = Now.AddMinutes(1) };

        Assert.True(key.Fits(current, Now) && key.Fits(old, Now) && !key.Fits(old, Now.AddMinutes(2)));
    }

    [Fact]
    public void A_key_that_is_over_or_taken_back_does_not_count()
    {
        var key = Key([1]);

        Assert.True(key.IsGood(Now) && (key with { Expires = Now.AddSeconds(1) }).IsGood(Now));
        Assert.False((key with { Expires = Now }).IsGood(Now) || (key with { IsRevoked = true }).IsGood(Now));
    }

    [Theory]
    [InlineData("rk_")]
    [InlineData("rk_short_secret")]
    [InlineData("eyJhbGciOiJIUzI1NiJ9.e30.x")]
    [InlineData("")]
    public void What_is_no_key_is_not_read_as_one(string text) => Assert.False(ServiceKey.TryParse(text, out _, out _));

    private static ServiceKey Key(byte[] hash) => new("id", "default", hash, null, null, new Grants([]), null, IsRevoked: false);
}
