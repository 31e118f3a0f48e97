using System.Text.RegularExpressions;
using RealtimeAspire.Client;

namespace RealtimeAspire.Tests.Documentation;

[Collection(SharedTopology.Name)]
public sealed partial class ReadmeTests(Topology topology)
{
    /// <summary>The README's C# stands here word for word, compiled and run.</summary>
    [Fact]
    public async Task The_five_lines_work()
    {
        await using var client = new RealtimeClient(topology.Api, () => GetTokenAsync("ada"));
        await client.ConnectAsync();
        await using var room = await client.SubscribeAsync("room:general", new() { Rewind = new() { Count = 50 } });
        await client.PublishAsync("room:general", "chat:message", new { text = "hi" });
        await foreach (var message in room)
        {
            Assert.Equal("hi", message.Data.Payload.GetProperty("text").GetString());
            break;
        }

        async Task<string?> GetTokenAsync(string user) => await topology.TokenAsync(user);
    }

    [Fact]
    public async Task Each_of_the_five_lines_is_one_of_this_file()
    {
        var source = await File.ReadAllTextAsync(Repository.PathOf("RealtimeAspire.Tests/Documentation/ReadmeTests.cs"), Topology.Cancelled);
        var snippet = CSharp().Match(await ReadmeAsync()).Groups["code"].Value;
        var lines = snippet.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        Assert.Equal(5, lines.Length);
        Assert.All(lines[1..4], line => Assert.Contains(line, source, StringComparison.Ordinal));
        Assert.Contains("() => GetTokenAsync(\"ada\"));", lines[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Files_and_folders_that_the_documents_name_exist()
    {
        string[] documents = ["README.md", "CONTRIBUTING.md", .. Directory.GetFiles(Repository.PathOf("docs"), "*.md", SearchOption.AllDirectories)];
        foreach (var document in documents)
        {
            var text = await File.ReadAllTextAsync(Repository.PathOf(document), Topology.Cancelled);
            var named = Named().Matches(text).Select(m => m.Groups["path"].Value);
            Assert.All(named, path => Assert.True(Path.Exists(Repository.PathOf(path)), $"{document} names {path}, which does not exist."));
        }
    }

    private static Task<string> ReadmeAsync() => File.ReadAllTextAsync(Repository.PathOf("README.md"), Topology.Cancelled);

    [GeneratedRegex("```csharp\n(?<code>.*?)```", RegexOptions.Singleline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex CSharp();

    [GeneratedRegex(@"[`(](?<path>(docs|standins|RealtimeAspire\.\w+)(/[\w.-]+)+)[`)]", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Named();
}
