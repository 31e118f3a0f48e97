using System.Diagnostics.CodeAnalysis;
using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.Logging;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Limits;

namespace RealtimeAspire.Server.Pipeline.Connections;

/// <summary>Turns errors into <c>code: sentence</c>, the form in which they cross the hub.</summary>
internal sealed partial class HubErrors(TimeProvider time, ILogger<HubErrors> logger) : IHubFilter
{
    private const string Marker = $"{nameof(HubException)}: ";

    // Whoever asks in vain faster than this is told so later: as many answers as wait are read no further, and cost no more.
    private const int PromptRefusalsPerSecond = 20;
    private const int PromptRefusals = 200;

    private static readonly TimeSpan RefusalDelay = TimeSpan.FromMilliseconds(500);

    private readonly BucketRate _promptRefusals = BucketRate.Of(PromptRefusalsPerSecond, PromptRefusals, time);

    public async ValueTask<object?> InvokeMethodAsync(
        HubInvocationContext invocationContext, Func<HubInvocationContext, ValueTask<object?>> next)
    {
        try
        {
            var result = await next(invocationContext);
            if (result is PublishOutcome[] and [{ Error: not null }, ..] or SubscribeResult[] and [{ Error: not null }, ..])
            {
                await SlowDownAsync(invocationContext);
            }

            return result;
        }
        catch (RealtimeException exception)
        {
            await SlowDownAsync(invocationContext);
            throw ToHub(exception.Error, exception.Message, exception);
        }
        catch (Exception exception) when (exception is not HubException)
        {
            if (exception is not OperationCanceledException)
            {
                LogFailed(exception, invocationContext.HubMethodName);
            }

            throw ToHub(ErrorCode.Internal, cause: exception);
        }
    }

    private Task SlowDownAsync(HubInvocationContext context) =>
        context.Context.Features.Get<Connection>() is { } connection && connection.Refusals.Take(time.GetTimestamp(), _promptRefusals) > 0
            ? Task.Delay(RefusalDelay, time, context.Context.ConnectionAborted)
            : Task.CompletedTask;

    public static HubException ToHub(ErrorCode error, string? sentence = null, Exception? cause = null) =>
        new($"{error.Code}: {sentence ?? error.Sentence}", cause);

    /// <summary>Reads the code behind SignalR's own words, or where there are none.</summary>
    public static bool TryRead(string text, [NotNullWhen(true)] out ErrorCode? error, [NotNullWhen(true)] out string? sentence)
    {
        var marker = text.IndexOf(Marker, StringComparison.Ordinal);
        var parts = (marker < 0 ? text : text[(marker + Marker.Length)..]).Split(": ", 2);
        (error, sentence) = (null, parts[^1]);
        return parts.Length == 2 && ErrorCode.TryFind(parts[0], out error);
    }

    [LoggerMessage(EventId = 1001, Level = LogLevel.Error, Message = "{Method} failed")]
    private partial void LogFailed(Exception exception, string method);
}
