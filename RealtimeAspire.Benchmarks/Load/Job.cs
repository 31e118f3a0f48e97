using RealtimeAspire.Benchmarks.Peers;

namespace RealtimeAspire.Benchmarks.Load;

/// <summary>What the coordinator tells a load generator, on its standard input.</summary>
internal sealed record Job
{
    public required string Shape { get; init; }

    public required Speech Speech { get; init; }

    public required string Durability { get; init; }

    /// <summary>The servers' addresses. Publishers use the first, subscribers the last.</summary>
    public required IReadOnlyList<Uri> Nodes { get; init; }

    /// <summary>Their process ids.</summary>
    public required IReadOnlyList<int> Servers { get; init; }

    /// <summary>From the start of the last of them until it could be used.</summary>
    public required TimeSpan ReadyAfter { get; init; }

    public required Surroundings Surroundings { get; init; }

    public required TimeSpan WarmUp { get; init; }

    public required TimeSpan Window { get; init; }

    /// <summary>How often each case is measured.</summary>
    public required int Rounds { get; init; }

    /// <summary>Keeps this run's topics apart from those of others.</summary>
    public required string Run { get; init; }
}

/// <summary>What a load generator answers, a line of its standard output each.</summary>
/// <param name="Case">The load, for people.</param>
/// <param name="Values">By a column's key.</param>
internal sealed record Measured(string Case, IReadOnlyDictionary<string, double> Values);
