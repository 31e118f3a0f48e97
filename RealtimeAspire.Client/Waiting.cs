using RealtimeAspire.Protocol;

namespace RealtimeAspire.Client;

internal static class Waiting
{
    /// <summary>Waits for an answer only so long.</summary>
    /// <exception cref="RealtimeException"><c>disconnected</c>: there was none in time.</exception>
    public static async Task<T> WithinAsync<T>(this Task<T> answer, TimeSpan limit, TimeProvider time)
    {
        try
        {
            return await answer.WaitAsync(limit, time);
        }
        catch (TimeoutException exception)
        {
            throw new RealtimeException(ErrorCode.Disconnected, ErrorCode.Disconnected.Sentence, exception);
        }
    }
}
