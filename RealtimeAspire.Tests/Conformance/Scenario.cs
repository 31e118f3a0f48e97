using System.Text.Json.Nodes;

namespace RealtimeAspire.Tests.Conformance;

/// <summary>One scenario of <c>clients/conformance</c>, whose README says what its steps mean.</summary>
/// <param name="Group">Its file.</param>
/// <param name="Name">What it shows.</param>
/// <param name="Steps">In order.</param>
/// <param name="Not">The transports over which it does not run.</param>
internal sealed record Scenario(string Group, string Name, JsonArray Steps, IReadOnlyList<string> Not)
{
    private static readonly string Folder = Repository.PathOf("clients/conformance");

    /// <summary>With topics that no other run has.</summary>
    public static Scenario Load(string name)
    {
        var run = Guid.NewGuid().ToString("N")[..8];
        var scenario = All().Single(scenario => scenario.Name == name);
        var steps = scenario.Steps.ToJsonString().Replace("\"room:", $"\"room:{run}-", StringComparison.Ordinal);
        return scenario with { Steps = JsonNode.Parse(steps)!.AsArray() };
    }

    /// <summary>One that a test has of its own.</summary>
    public static Scenario Parse(string name, string steps) => new("", name, JsonNode.Parse(steps)!.AsArray(), []);

    /// <summary>All there are.</summary>
    public static IEnumerable<Scenario> All() =>
        from file in Directory.EnumerateFiles(Folder, "*.json").Order(StringComparer.Ordinal)
        from scenario in JsonNode.Parse(File.ReadAllText(file))!.AsArray()
        select new Scenario(Path.GetFileNameWithoutExtension(file), (string)scenario!["name"]!, scenario["steps"]!.AsArray(), [.. from transport in scenario["not"]?.AsArray() ?? [] select (string)transport!]);

    /// <summary>One that is about transports runs as it is.</summary>
    public bool RunsOver(string transport) => transport == "webSocket" || !Not.Contains(transport);
}
