using System.Collections.Concurrent;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace RealtimeAspire.AppHost;

internal static class RestartOnCrashExtensions
{
    /// <summary>
    /// Starts each process of the resource again when it ends without having been told to: after 0.5 s, and after twice
    /// the last delay, at most 30 s, for as long as it does not stay up for a minute.
    /// </summary>
    public static IResourceBuilder<T> WithRestartOnCrash<T>(this IResourceBuilder<T> builder) where T : IResource
    {
        builder.ApplicationBuilder.Services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, CrashRestarter>());
        return builder.WithAnnotation(new RestartOnCrashAnnotation());
    }
}

internal sealed class RestartOnCrashAnnotation : IResourceAnnotation;

/// <summary>What is known of one process: a value, so that when to restart can be tested without one.</summary>
/// <param name="Crashes">How often it has crashed without staying up for <see cref="StableAfter"/> in between.</param>
internal readonly record struct CrashHistory(string? State, DateTimeOffset RunningSince, int Crashes)
{
    public static readonly TimeSpan StableAfter = TimeSpan.FromMinutes(1);
    public static readonly TimeSpan FirstDelay = TimeSpan.FromSeconds(0.5);
    public static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(30);

    /// <summary>Takes in the next state; with a delay when the process has to be started again.</summary>
    public CrashHistory Next(string? state, DateTimeOffset now, out TimeSpan? restartAfter)
    {
        restartAfter = null;
        if (state == State)
            return this;
        if (state == KnownResourceStates.Running)
            return this with { State = state, RunningSince = now };

        // Somebody who stops a resource does so by a command, which passes through Stopping.
        var crashed = State == KnownResourceStates.Running && (state == KnownResourceStates.Exited || state == KnownResourceStates.Finished);
        if (!crashed)
            return this with { State = state };
        var crashes = now - RunningSince >= StableAfter ? 0 : Crashes;
        restartAfter = TimeSpan.FromTicks(Math.Min(LongestDelay.Ticks, FirstDelay.Ticks << Math.Min(crashes, 16)));
        return this with { State = state, Crashes = crashes + 1 };
    }
}

internal sealed partial class CrashRestarter(
    ResourceNotificationService notifications, ResourceCommandService commands, ResourceLoggerService logs,
    TimeProvider time, ILogger<CrashRestarter> logger) : BackgroundService
{
    private readonly Dictionary<string, CrashHistory> _histories = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<Task, bool> _restarts = [];

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await foreach (var change in notifications.WatchAsync(stoppingToken))
        {
            if (!change.Resource.Annotations.OfType<RestartOnCrashAnnotation>().Any())
                continue;
            var history = _histories.GetValueOrDefault(change.ResourceId).Next(change.Snapshot.State?.Text, time.GetUtcNow(), out var delay);
            _histories[change.ResourceId] = history;
            if (delay is not { } after)
                continue;
            var restart = RestartAsync(change, after, stoppingToken);
            _restarts[restart] = true;
            foreach (var done in _restarts.Keys.Where(task => task.IsCompleted))
                _restarts.TryRemove(done, out _);
        }

        await Task.WhenAll(_restarts.Keys).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task RestartAsync(ResourceEvent crash, TimeSpan after, CancellationToken cancellationToken)
    {
        Crashed(logger, crash.ResourceId, crash.Snapshot.ExitCode, after.TotalSeconds);
        Crashed(logs.GetLogger(crash.ResourceId), crash.ResourceId, crash.Snapshot.ExitCode, after.TotalSeconds);
        await notifications.PublishUpdateAsync(crash.Resource, crash.ResourceId, s => s with
        {
            State = new ResourceStateSnapshot($"Restarting in {after.TotalSeconds:0.#} s", KnownResourceStateStyles.Warn),
        });
        await Task.Delay(after, time, cancellationToken);

        // Somebody may have been faster, by hand.
        if (notifications.TryGetCurrentState(crash.ResourceId, out var now) && now.Snapshot.State?.Text == KnownResourceStates.Running)
            return;
        var result = await commands.ExecuteCommandAsync(crash.ResourceId, KnownResourceCommands.StartCommand, cancellationToken);
        if (!result.Success)
            NotRestarted(logger, crash.ResourceId);
    }

    [LoggerMessage(1, LogLevel.Warning, "{Resource} ended with code {ExitCode} without having been stopped. It is started again in {Seconds} s.")]
    private static partial void Crashed(ILogger logger, string resource, int? exitCode, double seconds);

    [LoggerMessage(2, LogLevel.Error, "{Resource} could not be started again. See its console log.")]
    private static partial void NotRestarted(ILogger logger, string resource);
}
