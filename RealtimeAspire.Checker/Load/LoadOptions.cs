using RealtimeAspire.Checker.Proof;

namespace RealtimeAspire.Checker.Load;

/// <summary>What load to put on which deployment.</summary>
internal sealed record LoadOptions
{
    public const string Event = "app:check";

    /// <summary>The address for the next connection of a publisher, given how many connections it has had.</summary>
    public required Func<int, Uri> PublishAt { get; init; }

    /// <summary>The address for the next connection of a subscriber, given its number and how many connections it has had.</summary>
    public required Func<int, int, Uri> SubscribeAt { get; init; }

    /// <summary>Where histories are read when the load is over.</summary>
    public required Uri History { get; init; }

    /// <summary>A token for a user.</summary>
    public required Func<string, CancellationToken, Task<string>> Token { get; init; }

    /// <summary>The type of the topics, which are made for the run.</summary>
    public string Type { get; init; } = "room";

    public Durability Durability { get; init; } = Durability.Durable;

    public int Topics { get; init; } = 5;

    public int Publishers { get; init; } = 8;

    public int Subscribers { get; init; } = 12;

    /// <summary>What everything that is left to chance follows from. The timing of the network is not.</summary>
    public required int Seed { get; init; }

    /// <summary>Of each publisher, about.</summary>
    public int PublishesPerSecond { get; init; } = 40;

    /// <summary>The share of publishes that go out over two connections of the publisher at once, with the same id.</summary>
    public double Twins { get; init; } = 0.1;

    /// <summary>Characters of filling in each payload.</summary>
    public int Padding { get; init; } = 40;

    /// <summary>How long a publisher waits for its first answer before it tries again with the same id; with each try twice as long, up to 10 s.</summary>
    public TimeSpan AttemptTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a subscriber that drops by itself stays connected, on average.</summary>
    public TimeSpan DropsAfter { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long publishes that are under way may take after the load, and how long subscribers may take after that.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Randomness of one part of the run.</summary>
    public Random RandomOf(string part) => new(HashOf($"{Seed}/{part}"));

    /// <summary>The same in every process, which string.GetHashCode is not.</summary>
    private static int HashOf(string text) => text.Aggregate(17, (hash, character) => unchecked((hash * 31) + character));
}
