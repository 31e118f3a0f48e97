using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Authorization;

namespace RealtimeAspire.Tests.Server;

public sealed class GrantsTests
{
    [Theory]
    [InlineData("room:general", "room:general", true)]
    [InlineData("room:general", "room:general2", false)]
    [InlineData("room:*", "room:a", true)]
    [InlineData("room:*", "rooms:a", false)]
    [InlineData("room:team-*", "room:team-a", true)]
    [InlineData("room:team-*", "room:team", false)]
    [InlineData("*", "anything:at-all", true)]
    [InlineData("user:{sub}", "user:ada", true)]
    [InlineData("user:{sub}", "user:adam", false)]
    [InlineData("doc:{sub}-*", "doc:ada-notes", true)]
    [InlineData("doc:{sub}-*", "doc:bob-notes", false)]
    [InlineData("doc:of-{sub}", "doc:of-ada", true)]
    public void A_pattern_means_what_it_says(string pattern, string topic, bool matches) =>
        Assert.Equal(matches, TopicPattern.Parse(pattern).Matches(TopicName.Parse(topic), "ada"));

    [Theory]
    [InlineData("")]
    [InlineData("room")]
    [InlineData("room*")]
    [InlineData("*:general")]
    [InlineData("room:*:x")]
    [InlineData("room:a*b")]
    [InlineData("Room:*")]
    [InlineData("user:{sub}{sub}")]
    [InlineData("user:{SUB}")]
    [InlineData("{sub}")]
    public void What_is_no_pattern_is_refused_and_not_read_as_another(string pattern) => Assert.Throws<FormatException>(() => TopicPattern.Parse(pattern));

    [Theory]
    [InlineData("*")]
    [InlineData("a*")]
    [InlineData("{sub}")]
    [InlineData("a:b")]
    public void A_user_s_name_stands_for_itself_whatever_characters_it_has(string user)
    {
        var own = TopicPattern.Parse("user:{sub}");

        Assert.False(own.Matches(TopicName.Parse("user:ada"), user));
        Assert.False(own.Matches(TopicName.Parse("user:a"), user));
    }

    [Theory]
    [InlineData("""{}""")]
    [InlineData("""["room:*"]""")]
    [InlineData("""[{"topic":"room:*"}]""")]
    [InlineData("""[{"operations":["subscribe"]}]""")]
    [InlineData("""[{"topic":"room:*","operations":[]}]""")]
    [InlineData("""[{"topic":"room:*","operations":"subscribe"}]""")]
    [InlineData("""[{"topic":"room:*","operations":["Subscribe"]}]""")]
    [InlineData("""[{"topic":"room:*","operations":["subscribe",1]}]""")]
    [InlineData("""[{"topic":["room:*"],"operations":["subscribe"]}]""")]
    [InlineData("""[{"topic":"room:*","operations":["publish"],"events":"app:*"}]""")]
    [InlineData("""[{"topic":"room:*","operations":["publish"],"events":["*:app"]}]""")]
    [InlineData("""[{"topic":"room:*","operations":["subscribe"],"until":1}]""")]
    [InlineData("""[{"topic":"room:*","operations":["subscribe"]},null]""")]
    public void Grants_that_are_not_understood_grant_nothing(string grants) => Assert.Throws<FormatException>(() => Read(grants));

    [Fact]
    public void Events_are_those_of_any_grant_that_lets_publish_and_the_type_s_where_one_names_none()
    {
        var topic = TopicName.Parse("room:a");

        Assert.True(Read("""[{"topic":"room:*","operations":["publish"],"events":["chat:*"]}]""").AllowEvent("ada", topic, "chat:message"));
        Assert.False(Read("""[{"topic":"room:*","operations":["publish"],"events":["chat:*"]}]""").AllowEvent("ada", topic, "app:x"));
        Assert.Null(Read("""[{"topic":"room:*","operations":["publish"]}]""").AllowEvent("ada", topic, "app:x"));
        Assert.False(Read("""[{"topic":"room:*","operations":["subscribe"],"events":["*"]}]""").AllowEvent("ada", topic, "app:x"));
    }

    [Fact]
    public void A_grant_more_never_takes_anything_away()
    {
        string[] patterns = ["*", "room:*", "room:a", "room:b", "doc:*", "user:{sub}"];
        string[] topics = ["room:a", "room:b", "doc:a", "user:ada", "user:bob"];
        var grant = from pattern in Gen.Elements(patterns)
                    from operations in Gen.Choose(1, (int)Operations.All)
                    select new Grant(TopicPattern.Parse(pattern), (Operations)operations);
        var law = Prop.ForAll(
            Arb.From(from some in Gen.ListOf(grant) from one in grant from topic in Gen.Elements(topics) from operation in Gen.Elements(1, 2, 4, 8, 16, 32) select (some, one, topic, operation)),
            drawn =>
            {
                var (topic, operation) = (TopicName.Parse(drawn.topic), (Operations)drawn.operation);
                var before = new Grants([.. drawn.some]).Allow("ada", topic, operation);
                var after = new Grants([.. drawn.some, drawn.one]).Allow("ada", topic, operation);
                return after == (before || new Grants([drawn.one]).Allow("ada", topic, operation));
            });

        law.QuickCheckThrowOnFailure();
    }

    private static Grants Read(string json) => Grants.Read(JsonElement.Parse(json));
}
