using System.Diagnostics.CodeAnalysis;
using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.Logging;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Pipeline.Connections;

/// <summary>Turns errors into <c>code: sentence</c>, the form in which they cross the hub.</summary>
internal sealed partial class HubErrors(ILogger<HubErrors> logger) : IHubFilter
{
    private const string Marker = $"{nameof(HubException)}: ";

    public async ValueTask<object?> InvokeMethodAsync(
        HubInvocationContext invocationContext, Func<HubInvocationContext, ValueTask<object?>> next)
    {
        try
        {
            return await next(invocationContext);
        }
        catch (RealtimeException exception)
        {
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
