using System.Globalization;
using RealtimeAspire.Checker.Proof;

namespace RealtimeAspire.Checker;

/// <summary>What the operator wants.</summary>
internal sealed record CommandLine
{
    public const string TokenVariable = "REALTIME_TOKEN";

    public const string Help = $"""
        Puts load on a deployment of RealtimeAspire and verifies what it promises: every acknowledged event reaches every
        subscriber once and in order, nothing else does, and everybody sees the same log. It uses topics of its own.

        dotnet run --project RealtimeAspire.Checker -- http://localhost:5200 [options]
        dotnet run --project RealtimeAspire.Checker -- audit --help     verifies the audit trail

          --topics 5             topics that it makes
          --publishers 8         each publishes to all of them, one in three over HTTP
          --subscribers 12       each reads all of them, of four two over the hub, one over server-sent events
                                 and one by long polls; some drop their connection and come back
          --rate 40              publishes a second of each publisher
          --duration 60s         for how long (ms, s, m); Ctrl+C ends the load early
          --seed n               repeats the choices of an earlier run; its timing cannot be repeated
          --type room            the type of the topics
          --durability durable   what the type promises: durable, recoverable or ephemeral
          --token …              a bearer token that may publish '{Load.LoadOptions.Event}' and subscribe; better in {TokenVariable}.
                                 Without one, tokens come from POST /auth/token, which there is in development only.

        dotnet run --project RealtimeAspire.Checker -- {Events.EventCheck.Verb} --folder events [--released folder]

          reads JSON Schemas of events (topic type/event.v1.json) and connects to nothing. Each has to be one that a
          server takes, each version may only add to the one before, and a file to the one of the same name that is released.

        It ends with 0 when every promise held, 1 when one did not, 2 when it could not run.
        """;

    public required Uri Server { get; init; }

    public int Topics { get; init; } = 5;

    public int Publishers { get; init; } = 8;

    public int Subscribers { get; init; } = 12;

    public int Rate { get; init; } = 40;

    public TimeSpan Duration { get; init; } = TimeSpan.FromSeconds(60);

    public int? Seed { get; init; }

    public string Type { get; init; } = "room";

    public Durability Durability { get; init; } = Durability.Durable;

    public string? Token { get; init; }

    public static bool AsksForHelp(string[] args) => args.Any(arg => arg is "--help" or "-h" or "-?");

    /// <exception cref="FormatException">A sentence that says what is wrong.</exception>
    public static CommandLine Parse(string[] args)
    {
        if (args is not [var address, ..] || !Uri.TryCreate(address.TrimEnd('/') + '/', UriKind.Absolute, out var server) || server.Scheme is not ("http" or "https"))
        {
            throw new FormatException("Give the address of the deployment first, for example http://localhost:5200; --help tells the rest.");
        }

        var line = new CommandLine { Server = server };
        for (var i = 1; i < args.Length; i += 2)
        {
            line = line.With(args[i], i + 1 < args.Length ? args[i + 1] : throw new FormatException($"{args[i]} needs a value."));
        }

        return line;
    }

    private CommandLine With(string name, string value) => name switch
    {
        "--topics" => this with { Topics = Count(name, value, 1_000) },
        "--publishers" => this with { Publishers = Count(name, value, 10_000) },
        "--subscribers" => this with { Subscribers = Count(name, value, 10_000) },
        "--rate" => this with { Rate = Count(name, value, 100_000) },
        "--duration" => this with { Duration = ToDuration(name, value) },
        "--seed" => this with { Seed = int.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var seed) ? seed : throw Wrong(name, value, "a whole number") },
        "--type" => this with { Type = value },
        "--durability" => this with { Durability = Enum.TryParse<Durability>(value, ignoreCase: true, out var durability) && Enum.IsDefined(durability) ? durability : throw Wrong(name, value, "durable, recoverable or ephemeral") },
        "--token" => this with { Token = value },
        _ => throw new FormatException($"There is no option {name}; --help lists them."),
    };

    private static int Count(string name, string value, int most) =>
        int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count >= 1 && count <= most
            ? count
            : throw Wrong(name, value, string.Create(CultureInfo.InvariantCulture, $"a number from 1 to {most}"));

    private static TimeSpan ToDuration(string name, string value)
    {
        var unit = value.TrimStart('0', '1', '2', '3', '4', '5', '6', '7', '8', '9');
        TimeSpan? one = unit switch
        {
            "ms" => TimeSpan.FromMilliseconds(1),
            "s" => TimeSpan.FromSeconds(1),
            "m" => TimeSpan.FromMinutes(1),
            _ => null,
        };
        return one is { } length && int.TryParse(value.AsSpan(0, value.Length - unit.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count > 0 && count <= 1_000_000
            ? length * count
            : throw Wrong(name, value, "a time such as 500ms, 60s or 10m");
    }

    private static FormatException Wrong(string name, string value, string expected) => new($"{name} is '{value}', not {expected}.");
}
