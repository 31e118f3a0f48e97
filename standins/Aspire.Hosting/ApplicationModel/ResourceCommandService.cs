using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.ApplicationModel;

public static class KnownResourceCommands
{
    public static readonly string StartCommand = "start";
    public static readonly string StopCommand = "stop";
    public static readonly string RestartCommand = "restart";
}

public enum IconVariant
{
    Regular,
    Filled,
}

public sealed class ResourceCommandAnnotation(
    string name, string displayName, Func<UpdateCommandStateContext, ResourceCommandState> updateState,
    Func<ExecuteCommandContext, Task<ExecuteCommandResult>> executeCommand, string? displayDescription, object? parameter,
    string? confirmationMessage, string? iconName, IconVariant? iconVariant, bool isHighlighted) : IResourceAnnotation
{
    public string Name { get; } = name;

    public Func<ExecuteCommandContext, Task<ExecuteCommandResult>> ExecuteCommand { get; } = executeCommand;

    internal ResourceCommandSnapshot ToSnapshot(UpdateCommandStateContext context) => new(
        Name, updateState(context), displayName, displayDescription, parameter, confirmationMessage, iconName, iconVariant, isHighlighted);
}

public sealed class UpdateCommandStateContext
{
    public required CustomResourceSnapshot ResourceSnapshot { get; init; }

    public required IServiceProvider ServiceProvider { get; init; }
}

public sealed class ExecuteCommandContext
{
    public required IServiceProvider ServiceProvider { get; init; }

    /// <summary>The id of the instance: with replicas the process's name, not the resource's.</summary>
    public required string ResourceName { get; init; }

    public required CancellationToken CancellationToken { get; init; }

    public required ILogger Logger { get; init; }
}

public sealed class ExecuteCommandResult
{
    public required bool Success { get; init; }

    public bool Canceled { get; init; }

    public string? Message { get; init; }
}

public static class CommandResults
{
    public static ExecuteCommandResult Success() => new() { Success = true };

    public static ExecuteCommandResult Failure(string? errorMessage = null) => new() { Success = false, Message = errorMessage };

    public static ExecuteCommandResult Failure(Exception exception) => Failure(exception.Message);

    public static ExecuteCommandResult Canceled() => new() { Success = false, Canceled = true };
}

/// <summary>Runs the commands that hang on resources as annotations.</summary>
public class ResourceCommandService
{
    private readonly ResourceNotificationService _notifications;
    private readonly ResourceLoggerService _loggers;
    private readonly IServiceProvider _services;

    internal ResourceCommandService(ResourceNotificationService notifications, ResourceLoggerService loggers, IServiceProvider services) =>
        (_notifications, _loggers, _services) = (notifications, loggers, services);

    /// <summary>Runs a command on one instance, named by its id or, where there is only one, by the resource's name.</summary>
    public async Task<ExecuteCommandResult> ExecuteCommandAsync(string resourceId, string commandName, CancellationToken cancellationToken = default) =>
        _notifications.TryGetCurrentState(resourceId, out var current)
            ? await ExecuteAsync(current.ResourceId, current.Resource, commandName, cancellationToken)
            : CommandResults.Failure($"Resource '{resourceId}' not found.");

    /// <summary>Runs a command on every instance of the resource at once.</summary>
    public async Task<ExecuteCommandResult> ExecuteCommandAsync(IResource resource, string commandName, CancellationToken cancellationToken = default)
    {
        var ids = resource.GetResolvedResourceNames();
        var results = await Task.WhenAll(ids.Select(id => ExecuteAsync(id, resource, commandName, cancellationToken)));
        if (results is [var only])
            return only;
        var failures = ids.Zip(results).Where(r => !r.Second.Success && !r.Second.Canceled).Select(r => $"'{commandName}' failed for resource '{r.First}': {r.Second.Message}").ToArray();
        if (failures.Length > 0)
            return CommandResults.Failure(string.Join(Environment.NewLine, failures));
        return results.Any(r => r.Canceled) ? CommandResults.Canceled() : CommandResults.Success();
    }

    private async Task<ExecuteCommandResult> ExecuteAsync(string id, IResource resource, string name, CancellationToken cancellationToken)
    {
        var log = _loggers.GetLogger(id);
        var command = resource.Annotations.OfType<ResourceCommandAnnotation>().SingleOrDefault(c => c.Name == name);
        if (command is null)
        {
            log.LogInformation("Command '{Command}' is not available.", name);
            return CommandResults.Failure($"Command '{name}' is not available for resource '{id}'.");
        }

        log.LogInformation("Executing command '{Command}'.", name);
        try
        {
            var context = new ExecuteCommandContext { ServiceProvider = _services, ResourceName = id, CancellationToken = cancellationToken, Logger = log };
            var result = await command.ExecuteCommand(context);
            var outcome = result.Success ? "succeeded" : result.Canceled ? "was cancelled" : $"failed: {result.Message}";
            log.Log(result.Success || result.Canceled ? LogLevel.Information : LogLevel.Error, "Command '{Command}' {Outcome}", name, outcome);
            return result;
        }
        catch (OperationCanceledException)
        {
            log.LogInformation("Command '{Command}' was cancelled.", name);
            return CommandResults.Canceled();
        }
#pragma warning disable CA1031 // A command is the application's code: whatever it throws is its result.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            log.LogError(exception, "Command '{Command}' failed.", name);
            return CommandResults.Failure(exception);
        }
    }
}
