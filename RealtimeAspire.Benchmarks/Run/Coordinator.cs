using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using System.Threading.Channels;
using RealtimeAspire.Benchmarks.Load;
using RealtimeAspire.Benchmarks.Peers;
using RealtimeAspire.Benchmarks.Shapes;

namespace RealtimeAspire.Benchmarks.Run;

/// <summary>Runs every shape on all peers at once, one of them at a time having the machine.</summary>
internal sealed class Coordinator
{
    private const string GeneratorCore = "1";

    private readonly TimeSpan _turnLimit;

    private readonly BenchmarkOptions _options;
    private readonly Surroundings _surroundings;
    private readonly List<Result> _results = [];
    private readonly List<string> _failures = [];
    private int _runs;
    private readonly string _id = RandomNumberGenerator.GetHexString(6, lowercase: true);

    private Coordinator(BenchmarkOptions options, Surroundings surroundings) =>
        (_options, _surroundings, _turnLimit) = (options, surroundings, TimeSpan.FromMinutes(5) + (2 * (options.WarmUp + options.Window)));

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
        using var certificate = new ThrowawayCertificate(TimeProvider.System);
        var facts = (IReadOnlyList<(string Name, string Value)>)[.. await Machine.FactsAsync(TimeProvider.System, stop.Token), .. await stores.FactsAsync(stop.Token)];
        var coordinator = new Coordinator(options, new Surroundings(
            stores.Redis, stores.RedisUrl(), stores.Postgres, sink.Address, RandomNumberGenerator.GetHexString(64), certificate.Path, certificate.KeyPath));
        try
        {
            await coordinator.RunShapesAsync(facts, stop.Token);
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

    private async Task RunShapesAsync(IReadOnlyList<(string Name, string Value)> facts, CancellationToken cancellationToken)
    {
        var page = new PerformancePage(_options, facts);
        foreach (var shape in _options.Shapes)
        {
            Console.WriteLine($"{shape.Title}, {_options.Rounds} round{(_options.Rounds == 1 ? "" : "s")}");
            var (runs, rounds) = shape.IsFresh ? (_options.Rounds, 1) : (1, _options.Rounds);
            for (var run = 0; run < runs; run++)
            {
                using var turns = new SemaphoreSlim(1);
                await Task.WhenAll(shape.Hostings.SelectMany(hosting =>
                    _options.Peers.Where(shape.Takes).Select(peer => MeasureAsync(shape, hosting, peer, rounds, turns, cancellationToken))));
            }

            // After each shape, so that a long run that breaks off leaves something.
            if (!_options.Quick && _options.Peers.Count == Peer.All.Count)
                await page.WriteAsync(_results, cancellationToken);
        }

        Console.WriteLine(page.Print(_results));
        if (_failures.Count > 0)
            Console.WriteLine($"{_failures.Count} failed, for the reasons above: {string.Join("; ", _failures)}.");
    }

    /// <summary>One run in fresh processes. A failure is noted, and the other runs go on.</summary>
    private async Task MeasureAsync(Shape shape, Hosting hosting, Peer peer, int rounds, SemaphoreSlim turns, CancellationToken cancellationToken)
    {
        await using var turn = await Turn.TakeAsync(turns, cancellationToken);
        var servers = new List<(PinnedProcess Process, Uri Address, TimeSpan ReadyAfter)>();
        try
        {
            var nodes = shape.NodesOf(peer);
            for (var i = 0; i < nodes; i++)
                servers.Add(await PinnedProcess.StartServerAsync(peer, hosting, nodes > 1, _surroundings, cancellationToken));
            var job = new Job
            {
                Shape = shape.Name,
                Speech = peer.Speech,
                Durability = peer.Durability,
                Nodes = [.. servers.Select(server => server.Address)],
                Servers = [.. servers.Select(server => server.Process.Id)],
                ReadyAfter = servers.LastOrDefault().ReadyAfter,
                Surroundings = _surroundings,
                WarmUp = _options.WarmUp,
                Window = _options.Window,
                Rounds = rounds,
                Run = $"{_id}{Interlocked.Increment(ref _runs)}",
            };
            await GenerateAsync(shape, hosting, peer, job, turn, cancellationToken);
        }
        catch (BenchmarkException error)
        {
            _failures.Add(hosting.Of($"{shape.Name} {Label(peer)}"));
            Console.WriteLine($"  {Label(peer)} failed: {error.Message}");
        }
        finally
        {
            foreach (var (process, _, _) in servers)
                await process.DisposeAsync();
        }
    }

    private async Task GenerateAsync(Shape shape, Hosting hosting, Peer peer, Job job, Turn turn, CancellationToken cancellationToken)
    {
        // Without a server the generator measures what runs in itself, as it would run anywhere.
        var inItself = job.Servers.Count == 0;
        var launch = new Launch(Environment.ProcessPath!, [Generator.Command], AppContext.BaseDirectory, inItself ? Generator.NoSettings : Generator.Settings);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(_turnLimit);
        var passing = Channel.CreateUnbounded<bool>();
        await using var generator = PinnedProcess.Start(inItself ? null : GeneratorCore, launch, Take);
        try
        {
            await SayAsync(JsonSerializer.Serialize(job, JsonSerializerOptions.Web));
            var ended = generator.WaitForExitAsync(limit.Token);
            _ = ended.ContinueWith(_ => passing.Writer.Complete(), TaskScheduler.Default);
            await foreach (var _ in passing.Reader.ReadAllAsync(cancellationToken))
            {
                limit.CancelAfter(Timeout.InfiniteTimeSpan);
                await turn.PassAsync(cancellationToken);
                limit.CancelAfter(_turnLimit);
                await SayAsync("go");
            }

            await ended;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new BenchmarkException($"The load generator did not end its turn within {_turnLimit.TotalMinutes:0} minutes.");
        }
        catch (IOException)
        {
            throw new BenchmarkException(generator.LastWords);
        }

        if (generator.ExitCode != 0)
            throw new BenchmarkException(generator.LastWords);

        async Task SayAsync(string line)
        {
            await generator.Input.WriteLineAsync(line);
            await generator.Input.FlushAsync(cancellationToken);
        }

        void Take(string line)
        {
            if (line == LoadRun.Pass)
            {
                passing.Writer.TryWrite(true);
                return;
            }

            var measured = JsonSerializer.Deserialize<Measured>(line, JsonSerializerOptions.Web)!;
            measured = measured with { Case = hosting.Of(measured.Case) };
            _results.Add(new Result(shape, peer, measured));
            Console.WriteLine($"  {Label(peer)}, {measured.Case}: {string.Join(", ", measured.Values.Select(value => $"{value.Key} {value.Value:0.##}"))}");
        }
    }

    private static string Label(Peer peer) => peer.Durability == "none" ? peer.Name : $"{peer.Name} {peer.Durability}";

    /// <summary>The machine is one run's at a time, in the order in which they ask.</summary>
    private sealed class Turn : IAsyncDisposable
    {
        private readonly SemaphoreSlim _turns;
        private Task _taken;

        private Turn(SemaphoreSlim turns, CancellationToken cancellationToken) => (_turns, _taken) = (turns, turns.WaitAsync(cancellationToken));

        public static async Task<Turn> TakeAsync(SemaphoreSlim turns, CancellationToken cancellationToken)
        {
            var turn = new Turn(turns, cancellationToken);
            await turn._taken;
            return turn;
        }

        /// <summary>Lets all others who wait have it first.</summary>
        public Task PassAsync(CancellationToken cancellationToken)
        {
            _turns.Release();
            return _taken = _turns.WaitAsync(cancellationToken);
        }

        public async ValueTask DisposeAsync()
        {
            await _taken.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (_taken.IsCompletedSuccessfully)
                _turns.Release();
        }
    }
}

/// <summary>What one run measured in one case.</summary>
internal sealed record Result(Shape Shape, Peer Peer, Measured Measured);
