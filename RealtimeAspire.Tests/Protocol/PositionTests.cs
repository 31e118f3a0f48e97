using RealtimeAspire.Protocol;
using Xunit;

namespace RealtimeAspire.Tests.Protocol;

public sealed class PositionTests
{
    [Theory]
    [InlineData("x7Qa:17", "x7Qa", 17)]
    [InlineData(":0", "", 0)]
    [InlineData("x7Qa:0", "x7Qa", 0)]
    public void The_text_form_is_epoch_and_offset(string text, string epoch, long offset)
    {
        Assert.True(Position.TryParse(text, out var position));
        Assert.Equal(new Position(epoch, offset), position);
        Assert.Equal(text, position.ToString());
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("17")]
    [InlineData(":17")]
    [InlineData("x7Qa:-1")]
    [InlineData("x7Qa:")]
    [InlineData("x7Qa: 1")]
    [InlineData("x7Qa:99999999999999999999")]
    [InlineData("a:b:1")]
    public void Anything_else_is_no_position(string? text) => Assert.False(Position.TryParse(text, out _));

    [Fact]
    public void The_default_is_the_origin()
    {
        Assert.Equal(Position.Origin, default);
        Assert.Equal(Position.Origin.GetHashCode(), default(Position).GetHashCode());
        Assert.Equal("", default(Position).Epoch);
    }
}
