using System.Text.RegularExpressions;
using RealtimeAspire.Server;
using RealtimeAspire.Server.Storage;
using RealtimeAspire.Tests.Support;
using Xunit;

namespace RealtimeAspire.Tests.Server;

public sealed partial class LayeringTests
{
    [Fact]
    public void The_pipeline_knows_no_feature() =>
        Assert.Empty(UsesOf("Pipeline", "RealtimeAspire.Server.Features"));

    [Fact]
    public void A_feature_knows_no_other_feature()
    {
        foreach (var folder in Directory.GetDirectories(Repository.PathOf("RealtimeAspire.Server/Features")).Select(Path.GetFileName))
        {
            Assert.DoesNotContain(UsesOf($"Features/{folder}", "RealtimeAspire.Server.Features"), used => !used.StartsWith($"RealtimeAspire.Server.Features.{folder}", StringComparison.Ordinal));
        }
    }

    [Fact]
    public void The_protocol_depends_on_nothing_but_the_framework() => Assert.DoesNotContain(
        typeof(RealtimeAspire.Protocol.TopicName).Assembly.GetReferencedAssemblies(),
        reference => !reference.Name!.StartsWith("System", StringComparison.Ordinal));

    [Fact]
    public void Only_the_doors_of_the_server_are_public() => Assert.Equal(
        [
            "AdministrationFeature", "CanvasFeature", "ChatFeature", "ChatText", "ConnectContext", "HookContext", "INotifier", "ITopicPublisher", "Notification", "NotificationAudience", "NotificationPriority", "NotificationReceipt",
            "NotificationsFeature", "PresenceFeature", "PublishContext", "RealtimeBuilder", "RealtimeEvents", "RealtimeHooks", "RealtimeServer",
            "SubscribeContext", "TopicGrant", "TopicPublisherExtensions",
        ],
        typeof(RealtimeServer).Assembly.GetExportedTypes().Select(type => type.Name).Order(StringComparer.Ordinal));

    [Fact]
    public void Migrations_are_numbered_once_each()
    {
        var migrations = Migration.LoadAll();

        Assert.NotEmpty(migrations);
        Assert.Equal(migrations.Select(migration => migration.Number).Distinct(), migrations.Select(migration => migration.Number));
        Assert.Equal(new Migration(1, "a", "x\r\ny\n").Checksum, new Migration(1, "a", "x\ny").Checksum);
    }

    private static IEnumerable<string> UsesOf(string folder, string ns) => Directory
        .EnumerateFiles(Repository.PathOf($"RealtimeAspire.Server/{folder}"), "*.cs", SearchOption.AllDirectories)
        .SelectMany(file => Using().Matches(File.ReadAllText(file)))
        .Select(match => match.Groups[1].Value)
        .Where(used => used.StartsWith(ns, StringComparison.Ordinal));

    [GeneratedRegex(@"^using (?:static )?([\w.]+);", RegexOptions.Multiline, matchTimeoutMilliseconds: 1_000)]
    private static partial Regex Using();
}
