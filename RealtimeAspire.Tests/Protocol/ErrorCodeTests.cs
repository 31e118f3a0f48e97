using System.Reflection;
using System.Text.RegularExpressions;
using RealtimeAspire.Protocol;
using RealtimeAspire.Tests.Support;
using Xunit;

namespace RealtimeAspire.Tests.Protocol;

public sealed partial class ErrorCodeTests
{
    [Fact]
    public void The_table_in_the_docs_is_the_table_in_the_code()
    {
        var documented = Row().Matches(File.ReadAllText(Repository.PathOf("docs/errors.md")))
            .Select(row => new ErrorCode(row.Groups[1].Value, int.Parse(row.Groups[2].Value), row.Groups[3].Value == "yes", row.Groups[4].Value));

        Assert.Equal(ErrorCode.All.OrderBy(error => error.Code, StringComparer.Ordinal), documented);
    }

    [Fact]
    public void Every_code_is_in_the_table_once()
    {
        var fields = typeof(ErrorCode).GetFields(BindingFlags.Public | BindingFlags.Static).Select(field => (ErrorCode)field.GetValue(null)!).ToList();

        Assert.Equal(fields, ErrorCode.All);
        Assert.Equal(fields.Count, fields.Select(error => error.Code).Distinct().Count());
    }

    [Fact]
    public void A_code_of_a_newer_server_is_not_tried_again() => Assert.False(ErrorCode.Find("from_the_future").Retryable);

    [GeneratedRegex(@"^\| `([a-z_]+)` \| (\d{3}) \| (yes|no) \| (.+?) \|\r?$", RegexOptions.Multiline, matchTimeoutMilliseconds: 1_000)]
    private static partial Regex Row();
}
