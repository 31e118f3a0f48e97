using System.Text.RegularExpressions;

namespace RealtimeAspire.Tests.Documentation;

/// <summary>A promise whose test is gone would be only words.</summary>
public sealed partial class GuaranteesTests
{
    [Fact]
    public void Every_test_that_the_guarantees_name_exists()
    {
        var tests = typeof(GuaranteesTests).Assembly.GetTypes()
            .Where(type => !type.IsAbstract)
            .SelectMany(type => type.GetMethods().Where(method => method.GetCustomAttributes(inherit: true).Any(attribute => attribute is FactAttribute)), (type, method) => $"{type.Name}.{method.Name}")
            .ToHashSet(StringComparer.Ordinal);
        var named = Test().Matches(Guarantees()).Select(match => match.Groups["test"].Value).ToList();

        Assert.NotEmpty(named);
        Assert.All(named, test => Assert.Contains(test, tests));
    }

    [Fact]
    public void Every_promise_names_a_test()
    {
        var rows = Row().Matches(Guarantees()).Select(match => match.Value).Where(row => !row.StartsWith("| promise", StringComparison.Ordinal) && !row.StartsWith("|---", StringComparison.Ordinal)).ToList();

        Assert.NotEmpty(rows);
        Assert.All(rows, row => Assert.Matches(Test(), row));
    }

    private static string Guarantees() => File.ReadAllText(Repository.PathOf("docs/guarantees.md"));

    [GeneratedRegex(@"`(?<test>[A-Z]\w+(Scenarios|Tests|Laws)\.\w+)`", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1_000)]
    private static partial Regex Test();

    [GeneratedRegex(@"^\|.*\|\r?$", RegexOptions.Multiline, matchTimeoutMilliseconds: 1_000)]
    private static partial Regex Row();
}
