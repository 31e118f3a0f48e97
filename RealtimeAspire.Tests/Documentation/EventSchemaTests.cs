using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Tests.Server;

namespace RealtimeAspire.Tests.Documentation;

/// <summary>The events of the features are what other programs are written against: <c>docs/events</c> holds them as they were.</summary>
public sealed class EventSchemaTests
{
    internal const string Update = "REALTIME_UPDATE_EVENTS";

    private static readonly string Folder = Repository.PathOf("docs/events");
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    [Fact]
    public async Task The_events_of_the_features_only_ever_gain()
    {
        await using var server = await TestServer.StartAsync();
        var now = server.Services.GetRequiredService<EventCatalog>().Rules.ToDictionary(FileOf, rule => rule.Payload.Json, StringComparer.Ordinal);
        var problems = new List<string>();
        var kept = Directory.Exists(Folder) ? EventFolder.Read(Folder, fromClients: false, problems).ToDictionary(FileOf, rule => rule.Payload.Json, StringComparer.Ordinal) : [];
        Assert.Empty(problems);

        foreach (var (file, before) in kept)
        {
            Assert.True(now.TryGetValue(file, out var schema), $"{file} is not registered any more: programs publish and read it. Register it again, beside its successor.");
            var changes = SchemaChange.Between(before, schema);
            Assert.True(changes.Count == 0, $"{file} does more than gain: {string.Join(' ', changes)} Register the new form under the next version (AddEvent with version: n) and leave this one as it is.");
        }

        var added = now.Where(rule => !kept.TryGetValue(rule.Key, out var before) || !JsonNode.DeepEquals(before, rule.Value)).ToList();
        if (Environment.GetEnvironmentVariable(Update) == "1")
        {
            foreach (var (file, schema) in added)
            {
                Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(Folder, file))!);
                await File.WriteAllTextAsync(Path.Combine(Folder, file), $"{schema.ToJsonString(Indented)}\n", TestContext.Current.CancellationToken);
            }
        }
        else
        {
            Assert.True(added.Count == 0, $"docs/events has not yet what was added to {string.Join(", ", added.Select(rule => rule.Key))}: {Update}=1 dotnet test --filter FullyQualifiedName~{nameof(EventSchemaTests)} writes it; commit that.");
        }
    }

    private static string FileOf(EventRule rule)
    {
        var colon = rule.Event.IndexOf(':', StringComparison.Ordinal);
        Assert.True(colon < 0 || !rule.Event[..colon].Contains('.', StringComparison.Ordinal), $"{rule.Event} has no file name.");
        return FormattableString.Invariant($"{rule.TopicType}/{(colon < 0 ? rule.Event : $"{rule.Event[..colon]}.{rule.Event[(colon + 1)..]}")}.v{rule.Version}.json");
    }
}
