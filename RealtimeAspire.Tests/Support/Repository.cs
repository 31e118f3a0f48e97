using System.Reflection;
using System.Text.RegularExpressions;

namespace RealtimeAspire.Tests.Support;

/// <summary>Files of the repository that tests compare with the code, and the folder for what tests leave behind.</summary>
internal static partial class Repository
{
    public static string Root { get; } = Metadata("RepositoryRoot");

    /// <summary>Which packages these tests were built with: <c>partial</c> or <c>full</c>.</summary>
    public static string PackageFeed { get; } = Metadata("PackageFeed");

    public static string PathOf(string file) => Path.Combine(Root, file);

    /// <summary>The blocks of a language in one of the documents.</summary>
    public static async Task<IReadOnlyList<string>> SnippetsAsync(string document, string language) =>
    [
        .. Block().Matches(await File.ReadAllTextAsync(PathOf(document), Topology.Cancelled))
            .Where(block => block.Groups["language"].Value == language)
            .Select(block => block.Groups["code"].Value),
    ];

    private static string Metadata(string key) =>
        typeof(Repository).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(metadata => metadata.Key == key).Value!;

    [GeneratedRegex("^```(?<language>[a-z]*)\n(?<code>.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1_000)]
    private static partial Regex Block();
}
