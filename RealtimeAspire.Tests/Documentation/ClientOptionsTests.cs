using System.Text.RegularExpressions;
using RealtimeAspire.Client;

namespace RealtimeAspire.Tests.Documentation;

/// <summary>Each option of a client stands in its SDK's page.</summary>
public sealed partial class ClientOptionsTests
{
    [Theory]
    [InlineData(typeof(RealtimeClientOptions))]
    [InlineData(typeof(SubscribeOptions))]
    public void Of_the_dotnet_client(Type options)
    {
        var page = File.ReadAllText(Repository.PathOf("RealtimeAspire.Client/README.md"));

        Assert.All(options.GetProperties(), option => Assert.Matches($@"\| `[^|]*\b{option.Name}\b[^|]*` \|", page));
    }

    [Theory]
    [InlineData("options.ts", "ClientOptions")]
    [InlineData("subscription.ts", "SubscribeOptions")]
    [InlineData("client.ts", "PublishOptions")]
    public void Of_the_TypeScript_client(string file, string type)
    {
        var page = File.ReadAllText(Repository.PathOf("clients/typescript/README.md"));
        var source = File.ReadAllText(Repository.PathOf($"clients/typescript/src/{file}"));
        var start = source.IndexOf($"export interface {type}", StringComparison.Ordinal);
        Assert.True(start >= 0, $"{file} has no {type}");
        var members = Member().Matches(source[start..source.IndexOf("\n}", start, StringComparison.Ordinal)]).Select(match => match.Groups["name"].Value).ToList();

        Assert.NotEmpty(members);
        Assert.All(members, member => Assert.Matches($@"\| `[^|]*\b{member}\b[^|]*` \|", page));
    }

    [GeneratedRegex(@"^  readonly (?<name>\w+)\??:", RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1_000)]
    private static partial Regex Member();
}
