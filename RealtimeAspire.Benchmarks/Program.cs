using RealtimeAspire.Benchmarks;
using RealtimeAspire.Benchmarks.Load;
using RealtimeAspire.Benchmarks.Peers;
using RealtimeAspire.Benchmarks.Run;

// One executable in four roles: what a person starts, the load generator, a hostile client, and the bare SignalR hub that is compared with.
if (args is [Generator.Command])
    return await Generator.RunAsync();
if (args is [Storm.Command])
    return await Storm.RunAsync();
if (args is [BareHub.Command])
    return await BareHub.RunAsync();
if (!BenchmarkOptions.TryParse(args, out var options, out var problem))
{
    await Console.Error.WriteLineAsync(problem);
    return 2;
}

if (options.Help)
{
    Console.WriteLine(BenchmarkOptions.HelpText);
    return 0;
}

try
{
    return await Coordinator.RunAsync(options);
}
catch (BenchmarkException error)
{
    await Console.Error.WriteLineAsync(error.Message);
    return 1;
}
