using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Pipeline.Topics;

/// <summary>
/// Events as a folder of JSON Schemas, <c>{topic type}/{event}.v{version}.json</c>. As not every file system takes a colon, the
/// first <c>.</c> of the event stands for one where there is none: <c>order/app.placed.v2.json</c> is <c>app:placed</c>, <c>v</c> 2.
/// </summary>
internal static partial class EventFolder
{
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false };

    /// <param name="folder">Its path.</param>
    /// <param name="fromClients">Whether clients may publish these events, also where the topic type does not say so.</param>
    /// <param name="problems">What is wrong with each file, and with the folder.</param>
    public static IReadOnlyList<EventRule> Read(string folder, bool fromClients, List<string> problems)
    {
        if (!Directory.Exists(folder))
        {
            problems.Add($"{folder}: there is no such folder.");
            return [];
        }

        var rules = new List<EventRule>();
        foreach (var path in Directory.EnumerateFiles(folder, "*.json", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            var file = Path.GetRelativePath(folder, path).Replace('\\', '/');
            try
            {
                var rule = ReadFile(path, file, fromClients);
                if (rules.Find(other => (other.TopicType, other.Event, other.Version) == (rule.TopicType, rule.Event, rule.Version)) is { } same)
                {
                    problems.Add($"{file}: {same.File} is the same event in the same version.");
                }

                rules.Add(rule);
            }
            catch (Exception exception) when (exception is FormatException or JsonException or NotSupportedException or IOException or UnauthorizedAccessException)
            {
                problems.Add($"{file}: {exception.Message}");
            }
        }

        return rules;
    }

    private static EventRule ReadFile(string path, string file, bool fromClients)
    {
        var name = Name().Match(file);
        if (!name.Success || !TopicName.TryParse($"{name.Groups["type"].Value}:x", out _))
        {
            throw new FormatException("A schema is in the file {topic type}/{event}.v{version}.json, for example room/app.poll.v1.json.");
        }

        var eventName = ToEventName(name.Groups["event"].Value);
        if (!EventCatalog.IsName(eventName))
        {
            throw new FormatException($"“{eventName}” is no event name: 1 to {EventCatalog.MaxNameLength} letters, digits and . _ : -, a letter first.");
        }

        var version = int.Parse(name.Groups["version"].Value, CultureInfo.InvariantCulture);
        var json = JsonNode.Parse(File.ReadAllText(path), documentOptions: Strict) ?? throw new FormatException("null is no schema.");
        return new EventRule(name.Groups["type"].Value, eventName, PayloadSchema.Of(NameOf(eventName, version, json), json), fromClients, version, file);
    }

    private static string ToEventName(string name) =>
        name.IndexOf('.', StringComparison.Ordinal) is var dot and > 0 && !name.Contains(':', StringComparison.Ordinal) ? $"{name[..dot]}:{name[(dot + 1)..]}" : name;

    /// <summary>Its title, or its event, in letters and digits.</summary>
    private static string NameOf(string eventName, int version, JsonNode json)
    {
        var isTitled = json is JsonObject words && words["title"] is JsonValue title && title.TryGetValue<string>(out var text) && text.Any(char.IsAsciiLetter);
        var parts = NameParts().Matches(isTitled ? (string)json["title"]! : eventName).Select(part => char.ToUpperInvariant(part.Value[0]) + part.Value[1..]);
        return string.Concat(parts) + (isTitled || version == 1 ? "" : string.Create(CultureInfo.InvariantCulture, $"V{version}"));
    }

    [GeneratedRegex("^(?<type>[^/]+)/(?<event>[^/]+)[.]v(?<version>[1-9][0-9]{0,8})[.]json$", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1_000)]
    private static partial Regex Name();

    [GeneratedRegex("[A-Za-z0-9]+", RegexOptions.None, matchTimeoutMilliseconds: 1_000)]
    private static partial Regex NameParts();
}
