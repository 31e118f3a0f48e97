using RealtimeAspire.Checker.Events;

namespace RealtimeAspire.Tests.Checker;

/// <summary>The command that a build runs over schemas.</summary>
public sealed class EventCheckTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("realtime-check-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_version_that_does_more_than_add_is_an_error_of_its_file()
    {
        Write("now/room/app.poll.v1.json", """{"properties":{"a":{"type":"string"}}}""");
        Write("now/room/app.poll.v2.json", """{"properties":{"a":{"type":"string"},"b":{}}}""");
        Assert.Empty(Find());

        Write("now/room/app.poll.v4.json", """{"properties":{"b":{}}}""");

        Assert.Equal([$"{At("now/room/app.poll.v4.json")} : error REALTIME002: Does more than add to version 2: a is gone."], Find());
    }

    [Fact]
    public void What_is_released_may_be_added_to_and_no_more()
    {
        Write("released/room/app.poll.v1.json", """{"type":"string","maxLength":9}""");
        Write("released/room/app.gone.v1.json", "{}");
        Write("now/room/app.poll.v1.json", """{"type":"string","maxLength":8}""");

        Assert.Equal(
            [
                $"{At("now/room/app.gone.v1.json")} : error REALTIME003: This version is released, and gone.",
                $"{At("now/room/app.poll.v1.json")} : error REALTIME002: Does more than add to what is released: The payload has at most 8 characters now, and was at most 9.",
            ],
            Find("--released", At("released")));
    }

    [Fact]
    public void A_schema_that_no_server_takes_is_an_error()
    {
        Write("now/room/app.poll.v1.json", """{"pattern":"x"}""");

        Assert.Equal([$"{At("now")} : error REALTIME001: room/app.poll.v1.json: # says “pattern”, which is not known here."], Find());
    }

    [Theory]
    [InlineData("--folder")]
    [InlineData("--folder", "--folder")]
    [InlineData("--nonsense", "--nonsense", "x")]
    public void What_is_wrong_with_the_command_is_named(string named, params string[] args) =>
        Assert.Contains(named, Assert.Throws<FormatException>(() => EventCheck.Parse(args)).Message, StringComparison.Ordinal);

    private IReadOnlyList<string> Find(params string[] more) => EventCheck.Parse(["--folder", At("now"), .. more]).Find();

    private string At(string file) => Path.Combine(_folder, file);

    private void Write(string file, string schema)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(At(file))!);
        File.WriteAllText(At(file), schema);
    }
}
