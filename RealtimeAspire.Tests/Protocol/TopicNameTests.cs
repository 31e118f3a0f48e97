using FsCheck;
using FsCheck.Fluent;
using RealtimeAspire.Protocol;
using Xunit;

namespace RealtimeAspire.Tests.Protocol;

public sealed class TopicNameTests
{
    [Theory]
    [InlineData("room:general", "room", "general")]
    [InlineData("user:auth0|Ab12", "user", "auth0|Ab12")]
    [InlineData("a:~", "a", "~")]
    [InlineData("my-type2:A.b_c@d+e=f-", "my-type2", "A.b_c@d+e=f-")]
    public void A_name_is_a_type_and_an_identifier(string text, string type, string identifier)
    {
        var name = TopicName.Parse(text);

        Assert.Equal((text, type, identifier), (name.Value, name.Type, name.Identifier));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("room")]
    [InlineData("room:")]
    [InlineData(":general")]
    [InlineData("Room:general")]
    [InlineData("1room:general")]
    [InlineData("-room:general")]
    [InlineData("room:a:b")]
    [InlineData("room:a b")]
    [InlineData("room:a/b")]
    [InlineData("room:ä")]
    [InlineData("röom:a")]
    [InlineData("room:a\n")]
    [InlineData("room:a\0")]
    public void Anything_else_is_refused_with_a_code(string? text)
    {
        Assert.False(TopicName.TryParse(text, out _));
        Assert.Equal("topic_invalid", Assert.Throws<RealtimeException>(() => TopicName.Parse(text)).Code);
    }

    [Fact]
    public void The_longest_type_has_32_characters_and_the_longest_identifier_128()
    {
        Assert.True(TopicName.TryParse($"{new string('a', 32)}:{new string('b', 128)}", out _));
        Assert.False(TopicName.TryParse($"{new string('a', 33)}:b", out _));
        Assert.False(TopicName.TryParse($"a:{new string('b', 129)}", out _));
    }

    [Fact]
    public void Names_differ_by_case() =>
        Assert.NotEqual(TopicName.Parse("room:General"), TopicName.Parse("room:general"));

    [Fact]
    public void No_text_breaks_the_parser_and_what_it_takes_is_what_it_gives_back() =>
        Prop.ForAll<string?>(text => !TopicName.TryParse(text, out var name) || $"{name.Type}:{name.Identifier}" == text)
            .QuickCheckThrowOnFailure();
}
