using System.Net.Security;
using System.Text.Json;
using Microsoft.Extensions.Options;
using RealtimeAspire.Benchmarks.Peers;
using RealtimeAspire.Benchmarks.Run;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Authorization;

namespace RealtimeAspire.Benchmarks.Load;

/// <summary>One load generator and its servers: what a shape needs to make its load and to say what it saw.</summary>
internal sealed class LoadRun : IAsyncDisposable
{
    /// <summary>The line that says that others may have the machine.</summary>
    public const string Pass = "pass";

    private static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(10);

    private readonly TokenIssuer _tokens;
    private readonly SslClientAuthenticationOptions _trust;
    private readonly ReceiveLoop _loop = ReceiveLoop.Start();
    private readonly HashSet<LoadClient> _clients = [];
    private readonly CancellationTokenSource _ended = new();
    private readonly Task _keepingAlive;

    public LoadRun(Job job)
    {
        Job = job;
        Wire = job.Speech switch
        {
            Speech.Realtime => new RealtimeWire(),
            Speech.BareHub => new BareHubWire(),
            Speech.SocketIo => new SocketIoWire(),
            _ => new PlainWire(),
        };
        var auth = new AuthOptions { SigningKey = job.Surroundings.SigningKey, TokenSeconds = 24 * 60 * 60 };
        _tokens = new TokenIssuer(Options.Create(new RealtimeOptions { Auth = auth }), TimeProvider.System);
        _trust = ThrowawayCertificate.Trusting(job.Surroundings.Certificate);
        _keepingAlive = KeepAliveAsync();
    }

    public Job Job { get; }

    public Wire Wire { get; }

    public ProcessUse Servers => new(Job.Servers);

    /// <summary>This process.</summary>
    public static ProcessUse Own { get; } = new([Environment.ProcessId]);

    /// <summary>How many connections ended that nobody had closed.</summary>
    public int Broken { get; private set; }

    /// <summary>Where publishers connect; subscribers are on the last node.</summary>
    public Uri PublisherNode => Job.Nodes[0];

    public Uri SubscriberNode => Job.Nodes[^1];

    public string Topic(string name) => $"{Job.Durability}:{Job.Run}-{name}";

    public string TokenOf(int user, string? tenant = null) => _tokens.Issue($"user-{user}", tenant).AccessToken;

    /// <summary>Tells the coordinator what was measured.</summary>
    public static void Report(string load, Dictionary<string, double> values) =>
        Console.WriteLine(JsonSerializer.Serialize(new Measured(load, values), JsonSerializerOptions.Web));

    /// <summary>
    /// Measures every case, round after round, and lets the other servers have theirs in between: what changes on the machine
    /// meets all of them.
    /// </summary>
    /// <param name="cases">The cases.</param>
    /// <param name="measure">Measures one, in the round of this number.</param>
    public async Task MeasureInTurnsAsync<T>(IReadOnlyList<T> cases, Func<T, int, Task> measure)
    {
        for (var round = 1; round <= Job.Rounds; round++)
        {
            foreach (var item in cases)
            {
                await PassAsync();
                await measure(item, round);
            }
        }
    }

    /// <summary>Lets the others have a turn. A turn has a limit, so whoever has much to make ready passes now and then.</summary>
    public static async Task PassAsync()
    {
        Console.WriteLine(Pass);
        if (await Console.In.ReadLineAsync() is null)
            throw new BenchmarkException("Nobody gives turns any more.");
    }

    /// <param name="node">Which server.</param>
    /// <param name="user">Whose connection; every connection of a crowd has a user of its own.</param>
    /// <param name="scan">Is shown every message that comes in; null for one that only publishes.</param>
    /// <param name="tenant">Of which tenant; null: the default one.</param>
    public async Task<LoadClient> ConnectAsync(Uri node, int user, Action<ReadOnlySpan<byte>>? scan = null, string? tenant = null)
    {
        var client = new LoadClient(Wire, scan) { Lost = Forget };
        await client.ConnectAsync(node, TokenOf(user, tenant), _loop, _trust);
        lock (_clients)
            _clients.Add(client);
        return client;
    }

    /// <summary>Breaks a connection off, as a network does.</summary>
    public void Drop(LoadClient client)
    {
        lock (_clients)
            _clients.Remove(client);
        client.Dispose();
    }

    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync();
        await _keepingAlive;
        foreach (var client in _clients.ToArray())
            Drop(client);
        _ended.Dispose();
    }

    private void Forget(LoadClient client)
    {
        lock (_clients)
        {
            if (_clients.Remove(client))
                Broken++;
        }
    }

    private async Task KeepAliveAsync()
    {
        using var timer = new PeriodicTimer(KeepAlive, TimeProvider.System);
        try
        {
            while (await timer.WaitForNextTickAsync(_ended.Token))
            {
                LoadClient[] clients;
                lock (_clients)
                    clients = [.. _clients];
                foreach (var client in clients)
                    client.KeepAlive();
            }
        }
        catch (OperationCanceledException)
        {
            // The run is over.
        }
    }
}
