using System.Diagnostics.CodeAnalysis;
using RealtimeAspire.Benchmarks.Peers;
using RealtimeAspire.Benchmarks.Shapes;

namespace RealtimeAspire.Benchmarks;

/// <summary>What is to be measured, and how long.</summary>
internal sealed record BenchmarkOptions
{
    public bool Help { get; private init; }

    /// <summary>Short runs that show whether everything works; nothing is written.</summary>
    public bool Quick { get; private init; }

    public int Rounds { get; private init; } = 5;

    public IReadOnlyList<Shape> Shapes { get; private init; } = Shape.All;

    public IReadOnlyList<Peer> Peers { get; private init; } = Peer.All;

    /// <summary>Load before the first window, so that what is measured is compiled code.</summary>
    public TimeSpan WarmUp { get; private init; } = TimeSpan.FromSeconds(20);

    /// <summary>How long each case is measured.</summary>
    public TimeSpan Window { get; private init; } = TimeSpan.FromSeconds(5);

    public static string HelpText => $"""
        Measures RealtimeAspire beside a bare SignalR hub, Socket.IO, ws and uWebSockets, prints the tables, and writes them to docs/performance.md.

        dotnet run -c Release --project RealtimeAspire.Benchmarks [-- settings]

          --quick           one round, 5 s of warm-up, windows of 3 s; writes nothing
          --warm-up 20      seconds of load before the first case of a run
          --window 5        seconds that each case is measured
          --rounds 5        how often each case is measured, the servers in turn; the table has the median, the lowest and the highest
          --only a,b        these shapes only: {string.Join(", ", Shape.All.Select(shape => shape.Name))}
          --peers a,b       these peers only: {string.Join(", ", Peer.All.Select(peer => peer.Id).Distinct())}

        A full run takes some two and a half hours and wants a Linux machine with two cores, Node 20 and nothing else to do: servers
        run on core 0, the load generator on core 1, Redis and PostgreSQL where there is room. A run of some shapes replaces only
        their tables; one of some peers writes nothing.
        """;

    public static bool TryParse(string[] args, [NotNullWhen(true)] out BenchmarkOptions? options, [NotNullWhen(false)] out string? problem)
    {
        var parsed = args.Contains("--quick")
            ? new BenchmarkOptions { Quick = true, Rounds = 1, WarmUp = TimeSpan.FromSeconds(5), Window = TimeSpan.FromSeconds(3) }
            : new BenchmarkOptions();
        (options, problem) = (null, null);
        for (var i = 0; i < args.Length && problem is null; i++)
        {
            var value = i + 1 < args.Length ? args[i + 1] : "";
            parsed = args[i] switch
            {
                "--quick" => parsed,
                "--help" or "-h" or "-?" => parsed with { Help = true },
                "--rounds" => parsed with { Rounds = Number(args[i++], value, out problem) },
                "--warm-up" => parsed with { WarmUp = TimeSpan.FromSeconds(Number(args[i++], value, out problem)) },
                "--window" => parsed with { Window = TimeSpan.FromSeconds(Number(args[i++], value, out problem)) },
                "--only" => parsed with { Shapes = Select(Shape.All, shape => shape.Name, args[i++], value, out problem) },
                "--peers" => parsed with { Peers = Select(Peer.All, peer => peer.Id, args[i++], value, out problem) },
                _ => parsed with { Help = Unknown(args[i], out problem) },
            };
        }

        options = parsed;
        return problem is null;
    }

    private static bool Unknown(string setting, out string? problem)
    {
        problem = $"'{setting}' is no setting of this program; --help lists them.";
        return false;
    }

    private static int Number(string setting, string value, out string? problem)
    {
        problem = int.TryParse(value, out var number) && number is >= 1 and <= 1_000 ? null : $"{setting} is '{value}', but has to be a number from 1 to 1,000.";
        return number;
    }

    private static IReadOnlyList<T> Select<T>(IReadOnlyList<T> all, Func<T, string> nameOf, string setting, string value, out string? problem)
    {
        var names = value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        var known = all.Select(nameOf).Distinct().ToArray();
        problem = names.Length > 0 && names.All(known.Contains) ? null : $"{setting} is '{value}', but has to be one or more of {string.Join(", ", known)}.";
        return [.. all.Where(item => names.Contains(nameOf(item)))];
    }
}
