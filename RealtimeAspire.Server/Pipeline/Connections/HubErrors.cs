using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.Logging;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Pipeline.Connections;

/// <summary>Turns errors into <c>code: sentence</c>, the form in which they cross the hub.</summary>
internal sealed partial class HubErrors(ILogger<HubErrors> logger) : IHubFilter
{
    public async ValueTask<object?> InvokeMethodAsync(
        HubInvocationContext invocationContext, Func<HubInvocationContext, ValueTask<object?>> next)
    {
        try
        {
            return await next(invocationContext);
        }
        catch (RealtimeException exception)
        {
            throw new HubException($"{exception.Code}: {exception.Message}", exception);
        }
        catch (Exception exception) when (exception is not (HubException or OperationCanceledException))
        {
            LogFailed(exception, invocationContext.HubMethodName);
            throw new HubException($"{ErrorCode.Internal.Code}: {ErrorCode.Internal.Sentence}", exception);
        }
    }

    [LoggerMessage(EventId = 1001, Level = LogLevel.Error, Message = "{Method} failed")]
    private partial void LogFailed(Exception exception, string method);
}
