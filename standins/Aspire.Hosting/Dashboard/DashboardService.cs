using System.Security.Cryptography;
using System.Text;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Dashboard.Proto;
using Google.Protobuf;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.Dashboard;

/// <summary>Answers the dashboard's calls from what the application model knows.</summary>
/// <param name="apiKey">What the caller has to show; null where anyone on this machine may call.</param>
/// <param name="stopping">Ends the calls that would go on for ever.</param>
internal sealed class DashboardService(
    string applicationName,
    string? apiKey,
    ResourceNotificationService notifications,
    ResourceLoggerService loggers,
    ResourceCommandService commands,
    ILogger logger,
    CancellationToken stopping)
{
    private const string ApiKeyHeader = "x-resource-service-api-key";

    /// <summary>The dashboard takes messages of up to 16 MB, other clients 4 MB; a character may have 3 bytes.</summary>
    private const int MaxBatchCharacters = 1024 * 1024;

    private readonly byte[]? _apiKeyHash = apiKey is null ? null : Hash(apiKey);

    public async Task HandleAsync(HttpContext http)
    {
        if (http.Request.Method != "POST" || http.Request.ContentType?.StartsWith("application/grpc", StringComparison.Ordinal) != true)
        {
            http.Response.StatusCode = StatusCodes.Status415UnsupportedMediaType;
            return;
        }

        using var ends = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, stopping);
        var call = new GrpcCall(http);
        http.Response.ContentType = "application/grpc";
        try
        {
            Authenticate(http);
            await (http.Request.Path.Value switch
            {
                "/aspire.v1.DashboardService/GetApplicationInformation" => call.WriteAsync(new ApplicationInformationResponse { ApplicationName = applicationName }, ends.Token),
                "/aspire.v1.DashboardService/WatchResources" => WatchResourcesAsync(call, ends.Token),
                "/aspire.v1.DashboardService/WatchResourceConsoleLogs" => WatchConsoleLogsAsync(call, ends.Token),
                "/aspire.v1.DashboardService/ExecuteResourceCommand" => ExecuteCommandAsync(call, ends.Token),
                // Nothing here asks the user questions.
                "/aspire.v1.DashboardService/WatchInteractions" => call.HoldOpenAsync(ends.Token),
                _ => throw new GrpcException(GrpcStatus.Unimplemented, "No such method."),
            });
            call.Finish(GrpcStatus.Ok, "");
        }
        catch (GrpcException exception)
        {
            call.Finish(exception.Status, exception.Message);
        }
        catch (InvalidProtocolBufferException)
        {
            call.Finish(GrpcStatus.InvalidArgument, "The request is not the message that the method takes.");
        }
        catch (Exception exception) when (ends.IsCancellationRequested || exception is IOException)
        {
            // The dashboard went away, or the application ends: both are ordinary ends of a watch.
            if (!http.RequestAborted.IsCancellationRequested)
                call.Finish(GrpcStatus.Ok, "");
        }
#pragma warning disable CA1031 // A call that fails must not end the others.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            logger.LogError(exception, "The dashboard's call {Method} failed.", http.Request.Path);
            call.Finish(GrpcStatus.Internal, exception.Message);
        }
    }

    private void Authenticate(HttpContext http)
    {
        if (_apiKeyHash is null)
            return;
        // Hashes have one length, so the comparison's time says nothing about the key's.
        if (http.Request.Headers[ApiKeyHeader] is not [{ } shown] || !CryptographicOperations.FixedTimeEquals(Hash(shown), _apiKeyHash))
            throw new GrpcException(GrpcStatus.Unauthenticated, $"The header {ApiKeyHeader} is missing or wrong.");
    }

    private async Task WatchResourcesAsync(GrpcCall call, CancellationToken cancellationToken)
    {
        using var subscription = notifications.Subscribe();
        var initial = new InitialResourceData();
        initial.Resources.AddRange(subscription.Current.Select(ResourceMessages.ToMessage));
        await call.WriteAsync(new WatchResourcesUpdate { InitialData = initial }, cancellationToken);

        var batch = new Dictionary<string, ResourceEvent>(StringComparer.Ordinal);
        while (await subscription.Changes.WaitToReadAsync(cancellationToken))
        {
            // A dashboard that is behind gets the latest state of each resource, not the way there.
            batch.Clear();
            while (subscription.Changes.TryRead(out var change))
                batch[change.ResourceId] = change;
            var changes = new WatchResourcesChanges();
            changes.Value.AddRange(batch.Values.Select(c => new WatchResourcesChange { Upsert = c.ToMessage() }));
            await call.WriteAsync(new WatchResourcesUpdate { Changes = changes }, cancellationToken);
        }
    }

    private async Task WatchConsoleLogsAsync(GrpcCall call, CancellationToken cancellationToken)
    {
        var request = await call.ReadAsync(WatchResourceConsoleLogsRequest.Parser, cancellationToken);
        if (!notifications.TryGetCurrentState(request.ResourceName, out var current))
            return;
        var lines = request.SuppressFollow ? loggers.GetAllAsync(current.ResourceId) : loggers.WatchAsync(current.ResourceId);
        await foreach (var batch in lines.WithCancellation(cancellationToken))
        {
            var update = new WatchResourceConsoleLogsUpdate();
            var characters = 0;
            foreach (var line in batch)
            {
                var text = line.Content[..Math.Min(line.Content.Length, MaxBatchCharacters)];
                if (characters + text.Length > MaxBatchCharacters)
                {
                    await call.WriteAsync(update, cancellationToken);
                    update.LogLines.Clear();
                    characters = 0;
                }

                characters += text.Length;
                update.LogLines.Add(new ConsoleLogLine { Text = text, IsStdErr = line.IsErrorMessage, LineNumber = line.LineNumber });
            }

            await call.WriteAsync(update, cancellationToken);
        }
    }

    private async Task ExecuteCommandAsync(GrpcCall call, CancellationToken cancellationToken)
    {
        var request = await call.ReadAsync(ResourceCommandRequest.Parser, cancellationToken);
        var result = await commands.ExecuteCommandAsync(request.ResourceName, request.CommandName, cancellationToken);
        var kind = result.Success ? ResourceCommandResponseKind.Succeeded : result.Canceled ? ResourceCommandResponseKind.Cancelled : ResourceCommandResponseKind.Failed;
        await call.WriteAsync(new ResourceCommandResponse { Kind = kind, Message = result.Reason ?? "" }, cancellationToken);
    }

    private static byte[] Hash(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));
}
