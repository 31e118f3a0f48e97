using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using RealtimeAspire.Benchmarks.Load;
using RealtimeAspire.Benchmarks.Peers;
using RealtimeAspire.Benchmarks.Shapes;

namespace RealtimeAspire.Benchmarks.Run;

/// <summary>Runs every shape on every peer, round after round, so that what changes on the machine meets all of them.</summary>
internal sealed class Coordinator
{
    private const int GeneratorCore = 1;

    private static readonly TimeSpan RunLimit = TimeSpan.FromMinutes(15);

    private readonly BenchmarkOptions _options;
    private readonly Surroundings _surroundings;
    private readonly List<Result> _results = [];
    private readonly List<string> _failures = [];
    private readonly string _id = RandomNumberGenerator.GetHexString(6, lowercase: true);

    private Coordinator(BenchmarkOptions options, Surroundings surroundings) => (_options, _surroundings) = (options, surroundings);

    /// <returns>The exit code: 0 when every run came to its end.</returns>
    public static async Task<int> RunAsync(BenchmarkOptions options)
    {
        Machine.RequireFit();
        var built = Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory));
        if (!options.Quick && built != "release")
            throw new BenchmarkException($"This is a {built} build, whose figures mean nothing. Start it with `dotnet run -c Release`.");
        using var stop = new CancellationTokenSource();
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        foreach (var peer in options.Peers)
            await peer.PrepareAsync(stop.Token);

        Console.WriteLine("Starting Redis and PostgreSQL");
        await using var stores = await Stores.StartAsync(stop.Token);
        await using var sink = await TelemetrySink.StartAsync();
        var facts = (IReadOnlyList<(string Name, string Value)>)[.. await Machine.FactsAsync(TimeProvider.System, stop.Token), .. await stores.FactsAsync(stop.Token)];
        var coordinator = new Coordinator(options, new Surroundings(
            stores.Redis, stores.RedisUrl(), stores.Postgres, sink.Address, RandomNumberGenerator.GetHexString(64)));
        try
        {
            await coordinator.RunRoundsAsync(facts, stop.Token);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            Console.WriteLine("Stopped.");
            return 130;
        }

        Console.WriteLine($"The server's telemetry came to {sink.Summary}.");
        return coordinator._failures.Count == 0 ? 0 : 1;

        void Stop(PosixSignalContext context)
        {
            context.Cancel = true;
            stop.Cancel();
        }
    }

    private async Task RunRoundsAsync(IReadOnlyList<(string Name, string Value)> facts, CancellationToken cancellationToken)
    {
        var page = new PerformancePage(_options, facts);
        for (var round = 1; round <= _options.Rounds; round++)
        {
            foreach (var shape in _options.Shapes)
            {
                foreach (var peer in _options.Peers.Where(shape.Takes))
                {
                    Console.WriteLine($"Round {round} of {_options.Rounds}: {shape.Name}, {peer.Name}{(peer.Durability == "none" ? "" : $", {peer.Durability}")}");
                    await MeasureAsync(shape, peer, cancellationToken);
                }
            }

            // After each round, so that a long run that breaks off leaves something.
            if (!_options.Quick && _options.Peers.Count == Peer.All.Count)
                await page.WriteAsync(_results, round, cancellationToken);
        }

        Console.WriteLine(page.Print(_results));
        if (_failures.Count > 0)
            Console.WriteLine($"{_failures.Count} failed, for the reasons above: {string.Join("; ", _failures)}.");
    }

    /// <summary>One run in fresh processes. A failure is noted, and the other runs go on.</summary>
    private async Task MeasureAsync(Shape shape, Peer peer, CancellationToken cancellationToken)
    {
        var servers = new List<(PinnedProcess Process, Uri Address)>();
        try
        {
            var nodes = shape.NodesOf(peer);
            for (var i = 0; i < nodes; i++)
                servers.Add(await PinnedProcess.StartServerAsync(peer, nodes > 1, _surroundings, cancellationToken));
            var job = new Job
            {
                Shape = shape.Name,
                Speech = peer.Speech,
                Durability = peer.Durability,
                Nodes = [.. servers.Select(server => server.Address)],
                Servers = [.. servers.Select(server => server.Process.Id)],
                Surroundings = _surroundings,
                WarmUp = _options.WarmUp,
                Window = _options.Window,
                Run = $"{_id}{_results.Count}",
            };
            await GenerateAsync(shape, peer, job, cancellationToken);
        }
        catch (BenchmarkException error)
        {
            _failures.Add($"{shape.Name} {peer.Name} {peer.Durability}");
            Console.WriteLine($"  failed: {error.Message}");
        }
        finally
        {
            foreach (var (process, _) in servers)
                await process.DisposeAsync();
        }
    }

    private async Task GenerateAsync(Shape shape, Peer peer, Job job, CancellationToken cancellationToken)
    {
        // Without a server the generator measures what runs in itself, as it would run anywhere.
        var inItself = job.Servers.Count == 0;
        var launch = new Launch(Environment.ProcessPath!, [Generator.Command], AppContext.BaseDirectory, inItself ? Generator.NoSettings : Generator.Settings);
        await using var generator = PinnedProcess.Start(inItself ? null : GeneratorCore, launch, Take);
        await generator.Input.WriteLineAsync(JsonSerializer.Serialize(job, JsonSerializerOptions.Web));
        await generator.Input.FlushAsync(cancellationToken);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(RunLimit);
        try
        {
            await generator.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new BenchmarkException($"The load generator did not end within {RunLimit.TotalMinutes:0} minutes.");
        }

        if (generator.ExitCode != 0)
            throw new BenchmarkException(generator.LastWords);

        void Take(string line)
        {
            var measured = JsonSerializer.Deserialize<Measured>(line, JsonSerializerOptions.Web)!;
            _results.Add(new Result(shape, peer, measured));
            Console.WriteLine($"  {measured.Case}: {string.Join(", ", measured.Values.Select(value => $"{value.Key} {value.Value:0.##}"))}");
        }
    }
}

/// <summary>What one run measured in one case.</summary>
internal sealed record Result(Shape Shape, Peer Peer, Measured Measured);
