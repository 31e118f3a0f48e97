using System.Text.RegularExpressions;

namespace RealtimeAspire.Tests.Documentation;

/// <summary>What the READMEs show runs in <see cref="Scenarios.PackageScenarios"/>.</summary>
public sealed partial class ReadmeTests
{
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

    [GeneratedRegex(@"[`(](?<path>(docs|standins|RealtimeAspire\.\w+)(/[\w.-]+)+)[`)]", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Named();
}
