using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.ApplicationModel;

public static class KnownResourceCommands
{
    public static readonly string StartCommand = "start";
    public static readonly string StopCommand = "stop";
    public static readonly string RestartCommand = "restart";
}

/// <param name="IsEnabled">Whether the command makes sense in the state.</param>
/// <param name="Execute">Gets the id of the instance: with replicas the process's name, not the resource's.</param>
internal sealed record ResourceCommandAnnotation(
    string Name, string DisplayName, string IconName, bool IsHighlighted, Func<string?, bool> IsEnabled, Func<string, CancellationToken, Task> Execute) : IResourceAnnotation;

public sealed class ExecuteCommandResult
{
    public required bool Success { get; init; }

    public bool Canceled { get; init; }

    internal string? Reason { get; init; }
}

/// <summary>Runs the commands that hang on resources as annotations.</summary>
public class ResourceCommandService
{
    private readonly ResourceNotificationService _notifications;
    private readonly ResourceLoggerService _loggers;

    internal ResourceCommandService(ResourceNotificationService notifications, ResourceLoggerService loggers) =>
        (_notifications, _loggers) = (notifications, loggers);

    /// <summary>Runs a command on one instance, named by its id or, where there is only one, by the resource's name.</summary>
    public async Task<ExecuteCommandResult> ExecuteCommandAsync(string resourceId, string commandName, CancellationToken cancellationToken = default)
    {
        if (!_notifications.TryGetCurrentState(resourceId, out var current))
            return Failure($"Resource '{resourceId}' not found.");
        var id = current.ResourceId;
        if (current.Resource.Annotations.OfType<ResourceCommandAnnotation>().SingleOrDefault(c => c.Name == commandName) is not { } command)
            return Failure($"Command '{commandName}' is not available for resource '{id}'.");

        var log = _loggers.GetLogger(id);
        log.LogInformation("Executing command '{Command}'.", commandName);
        try
        {
            await command.Execute(id, cancellationToken);
            log.LogInformation("Command '{Command}' succeeded.", commandName);
            return new ExecuteCommandResult { Success = true };
        }
        catch (OperationCanceledException)
        {
            log.LogInformation("Command '{Command}' was cancelled.", commandName);
            return new ExecuteCommandResult { Success = false, Canceled = true };
        }
#pragma warning disable CA1031 // Whatever a command throws is its result.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            log.LogError(exception, "Command '{Command}' failed.", commandName);
            return Failure(exception.Message);
        }
    }

    private static ExecuteCommandResult Failure(string reason) => new() { Success = false, Reason = reason };
}
