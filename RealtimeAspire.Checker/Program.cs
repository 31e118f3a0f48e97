using System.Runtime.InteropServices;
using RealtimeAspire.Checker;
using RealtimeAspire.Checker.Audit;
using RealtimeAspire.Checker.Events;
using RealtimeAspire.Checker.Load;
using RealtimeAspire.Checker.Proof;

const int Held = 0, Violated = 1, CouldNotRun = 2;

if (CommandLine.AsksForHelp(args))
{
    Console.WriteLine(args is [AuditCommandLine.Verb, ..] ? AuditCommandLine.Help : CommandLine.Help);
    return Held;
}

using var interrupted = new CancellationTokenSource();
using var onInterrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, EndTheLoad);
using var onTerminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, EndTheLoad);
try
{
    return args switch
    {
        [EventCheck.Verb, ..] => CheckEvents(EventCheck.Parse(args[1..])),
        [AuditCommandLine.Verb, ..] => await AuditVerification.RunAsync(AuditCommandLine.Parse(args[1..]), TimeProvider.System, interrupted.Token) ? Held : Violated,
        _ => await CheckAsync(CommandLine.Parse(args), TimeProvider.System, interrupted.Token),
    };
}
catch (Exception exception) when (exception is FormatException or CannotRunException)
{
    await Console.Error.WriteLineAsync(exception.Message);
    return CouldNotRun;
}

// The first one ends the load, and the verdict follows; a second one ends the process.
void EndTheLoad(PosixSignalContext signal)
{
    signal.Cancel = !interrupted.IsCancellationRequested;
    interrupted.Cancel();
}

static int CheckEvents(EventCheck check)
{
    var found = check.Find();
    foreach (var one in found)
    {
        Console.WriteLine(one);
    }

    return found.Count == 0 ? Held : Violated;
}

static async Task<int> CheckAsync(CommandLine line, TimeProvider time, CancellationToken interrupted)
{
    using var tokens = new DevelopmentTokens(line.Server);
    var token = line.Token ?? Environment.GetEnvironmentVariable(CommandLine.TokenVariable);
    var options = new LoadOptions
    {
        PublishAt = _ => line.Server,
        SubscribeAt = (_, _) => line.Server,
        History = line.Server,
        Token = token is null ? tokens.TokenAsync : (_, _) => Task.FromResult(token),
        Type = line.Type,
        Durability = line.Durability,
        Topics = line.Topics,
        Publishers = line.Publishers,
        Subscribers = line.Subscribers,
        Seed = line.Seed ?? Random.Shared.Next(),
        PublishesPerSecond = line.Rate,
    };
    Console.WriteLine($"Checking {line.Server} with {line.Publishers} publishers and {line.Subscribers} subscribers on {line.Topics} topics of type {line.Type}, seed {options.Seed}");
    await using var run = await CheckRun.StartAsync(options, time, CancellationToken.None);
    await LoadAsync(run, line.Duration, time, interrupted);
    var record = await run.FinishAsync(CancellationToken.None);
    if (run.Tally.Acknowledged == 0)
    {
        throw new CannotRunException("Not one publish was acknowledged, so there is nothing to verify.");
    }

    var verdict = Verifier.Verify(record);
    var unknown = record.Publishes.Count(publish => !publish.Attempts.Any(attempt => attempt.Answer is Answer.Acknowledged));
    Console.WriteLine($"{run.Tally}, {unknown:N0} of unknown outcome");
    Console.WriteLine($"{verdict} Seed {options.Seed}.");
    return verdict.Held ? Held : Violated;
}

static async Task LoadAsync(CheckRun run, TimeSpan duration, TimeProvider time, CancellationToken interrupted)
{
    var progress = TimeSpan.FromSeconds(5);
    var started = time.GetTimestamp();
    while (time.GetElapsedTime(started) is var passed && passed < duration && !interrupted.IsCancellationRequested && !run.Load.IsFaulted)
    {
        var rest = duration - passed;
        await Task.WhenAny(run.Load, Pacing.WaitAsync(rest < progress ? rest : progress, time, interrupted));
        Console.WriteLine($"  {time.GetElapsedTime(started).TotalSeconds,4:0} s: {run.Tally}");
    }
}
