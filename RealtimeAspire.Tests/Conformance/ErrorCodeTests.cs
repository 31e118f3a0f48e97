using System.Text.RegularExpressions;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Tests.Conformance;

public sealed partial class ErrorCodeTests
{
    /// <summary>The hub tells a code and no retry bit: clients know it.</summary>
    [Fact]
    public async Task The_TypeScript_client_knows_which_codes_may_be_tried_again()
    {
        var source = await File.ReadAllTextAsync(Repository.PathOf("clients/typescript/src/errors.ts"), TestContext.Current.CancellationToken);

        var known = Quoted().Matches(RetryableSet().Match(source).Value).Select(match => match.Groups[1].Value);

        Assert.Equal(ErrorCode.All.Where(error => error.Retryable).Select(error => error.Code).Order(StringComparer.Ordinal), known.Order(StringComparer.Ordinal));
    }

    [GeneratedRegex(@"const retryable = new Set\(\[[^\]]*\]", RegexOptions.None, 1_000)]
    private static partial Regex RetryableSet();

    [GeneratedRegex(@"""([a-z_]+)""", RegexOptions.None, 1_000)]
    private static partial Regex Quoted();
}
