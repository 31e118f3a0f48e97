using RealtimeAspire.Benchmarks.Load;
using RealtimeAspire.Benchmarks.Peers;

namespace RealtimeAspire.Benchmarks.Shapes;

/// <summary>A column of a shape's table.</summary>
/// <param name="Key">Of the measured value.</param>
/// <param name="Title">Its head, with the unit.</param>
/// <param name="Format">Of the number.</param>
internal sealed record Column(string Key, string Title, string Format = "0.0")
{
    /// <summary>Further columns relate it to each of the other servers.</summary>
    public bool Compared { get; init; }

    /// <summary>A further column has what a log adds to it: what it is above that of the same server's ephemeral messages.</summary>
    public bool LogShown { get; init; }

    /// <summary>The table has the worst of all rounds instead of the median.</summary>
    public bool Worst { get; init; }
}

/// <summary>How a server is run.</summary>
/// <param name="Name">For the table, before the load; empty where there is only one way.</param>
/// <param name="Cores">The cores that it may use, as taskset lists them.</param>
/// <param name="Secure">Over TLS, in its own process.</param>
internal sealed record Hosting(string Name = "", string Cores = "0", bool Secure = false)
{
    /// <summary>Settings of the server in the place of those it is measured with otherwise, as environment variables.</summary>
    public IReadOnlyDictionary<string, string> Settings { get; init; } = new Dictionary<string, string>();

    public string Of(string load) => Name.Length == 0 ? load : $"{Name}: {load}";
}

/// <summary>A kind of load: what is put on the servers, and what is measured meanwhile.</summary>
internal abstract class Shape
{
    public static readonly IReadOnlyList<Shape> All =
    [
        new FanOut(), new Overload(), new Rooms(), new Presence(), new Chat(), new TwoNodes(), new Recovery(), new DurablePublish(), new AppendAlone(), new Admission(), new Isolation(), new Memory(),
        new Connects(), new Tls(), new Cores(), new ColdStart(), new DotNetClient(),
    ];

    protected static readonly IReadOnlyList<Column> Checks =
    [
        new("lost", "lost", "0") { Worst = true },
        new("doubled", "doubled", "0") { Worst = true },
        new("disordered", "out of order", "0") { Worst = true },
    ];

    protected static readonly IReadOnlyList<Column> LiveColumns =
    [
        new("cpu", "server CPU, µs per delivered message") { Compared = true },
        new("rate", "delivered/s", "0"),
        new("p50", "publish → receive p50, ms", "0.0"),
        new("p99", "p99, ms", "0.0"),
        new("generator", "generator busy, %", "0"),
        .. Checks,
    ];

    /// <summary>For the command line.</summary>
    public abstract string Name { get; }

    public abstract string Title { get; }

    /// <summary>What is done, for readers of the table.</summary>
    public abstract string Text { get; }

    public abstract IReadOnlyList<Column> Columns { get; }

    public virtual bool Takes(Peer peer) => true;

    /// <summary>The ways in which each server is run, with processes of their own.</summary>
    public virtual IReadOnlyList<Hosting> Hostings => [new Hosting()];

    /// <summary>Each round has fresh processes. Otherwise they stay, and take turns case by case.</summary>
    public virtual bool IsFresh => false;

    /// <summary>How many server processes a run has.</summary>
    public virtual int NodesOf(Peer peer) => 1;

    /// <summary>Makes the load and reports each case. Runs in the load generator's process.</summary>
    public abstract Task MeasureAsync(LoadRun run);
}
