using System.Globalization;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Checker.Events;

/// <summary>Whether the schemas of a folder can be registered, and each version only adds to the one before. Reads files, and nothing else.</summary>
/// <param name="Folder">The schemas.</param>
/// <param name="Released">Those that are in use; null where there are none to compare with.</param>
internal sealed record EventCheck(string Folder, string? Released)
{
    public const string Verb = "events";

    /// <exception cref="FormatException">A sentence that says what is wrong.</exception>
    public static EventCheck Parse(string[] args)
    {
        string? folder = null, released = null;
        for (var i = 0; i < args.Length; i += 2)
        {
            var value = i + 1 < args.Length ? args[i + 1] : throw new FormatException($"{args[i]} needs a value.");
            switch (args[i])
            {
                case "--folder":
                    folder = value;
                    break;
                case "--released":
                    released = value;
                    break;
                default:
                    throw new FormatException($"There is no option {args[i]}; --help lists them.");
            }
        }

        return new EventCheck(folder ?? throw new FormatException("Give the folder of the schemas with --folder."), released);
    }

    /// <summary>What is wrong, each as a compiler says it: a build takes it up as an error.</summary>
    public IReadOnlyList<string> Find()
    {
        var found = new List<string>();
        var rules = Read(Folder, found);
        foreach (var versions in rules.GroupBy(rule => (rule.TopicType, rule.Event)))
        {
            var sorted = versions.OrderBy(rule => rule.Version).ToList();
            foreach (var (before, now) in sorted.Zip(sorted.Skip(1)))
            {
                found.AddRange(Compare(before, now, string.Create(CultureInfo.InvariantCulture, $"version {before.Version}")));
            }
        }

        if (Released is not null)
        {
            foreach (var before in Read(Released, found))
            {
                if (rules.FirstOrDefault(rule => (rule.TopicType, rule.Event, rule.Version) == (before.TopicType, before.Event, before.Version)) is { } now)
                {
                    found.AddRange(Compare(before, now, "what is released"));
                }
                else
                {
                    found.Add(Error(Path.Combine(Folder, before.File!), "REALTIME003", "This version is released, and gone."));
                }
            }
        }

        return found;
    }

    private static IReadOnlyList<EventRule> Read(string folder, List<string> found)
    {
        var problems = new List<string>();
        var rules = EventFolder.Read(folder, fromClients: false, problems);
        found.AddRange(problems.Select(problem => Error(folder, "REALTIME001", problem)));
        return rules;
    }

    private IEnumerable<string> Compare(EventRule before, EventRule now, string to) =>
        SchemaChange.Between(before.Payload.Json, now.Payload.Json).Select(change => Error(Path.Combine(Folder, now.File!), "REALTIME002", $"Does more than add to {to}: {change}"));

    private static string Error(string file, string code, string sentence) => $"{file} : error {code}: {sentence}";
}
