using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Client.Transports;

/// <summary>Whom requests go to, and in whose name.</summary>
internal sealed class HttpDoor(Uri server, string? token, TimeSpan answerTime, Breaker breaker, TimeProvider time)
{
    // All clients of a process: the connections to a server are theirs together.
    private static readonly HttpClient Http = new(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromMinutes(2) })
    {
        Timeout = Timeout.InfiniteTimeSpan,
    };

    private readonly string _server = server.ToString().TrimEnd('/');
    private volatile string? _token = token;

    /// <summary>For requests from now on.</summary>
    public string? Token
    {
        set => _token = value;
    }

    /// <summary>What the server answers.</summary>
    /// <param name="method">The method.</param>
    /// <param name="path">Below the server's address.</param>
    /// <param name="body">JSON, or null.</param>
    /// <param name="type">How the answer is read; null: it is not.</param>
    /// <param name="patience">For how long the server may think about it, beside the time for any answer.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="RealtimeException">What the server said, <c>disconnected</c>, or <c>circuit_open</c>.</exception>
    public async Task<T> AskAsync<T>(
        HttpMethod method, string path, HttpContent? body, JsonTypeInfo<T>? type, TimeSpan patience, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(answerTime + patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            return await breaker.PassAsync(
                async () =>
                {
                    using var response = await SendAsync(method, path, body, "application/json", either.Token);
                    return type is null ? default! : (await response.Content.ReadFromJsonAsync(type, either.Token))!;
                },
                cancellationToken);
        }
        catch (Exception exception) when (IsOfNetwork(exception) || (exception is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            throw new RealtimeException(ErrorCode.Disconnected, ErrorCode.Disconnected.Sentence, exception);
        }
    }

    /// <summary>The answer as it begins; its owner disposes it.</summary>
    /// <exception cref="RealtimeException">What the server said.</exception>
    public async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, HttpContent? body, string accept, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(method, new Uri(_server + path)) { Content = body };
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue(accept));
        request.Headers.Authorization = _token is { } current ? new AuthenticationHeaderValue("Bearer", current) : null;
        var response = await Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        if (response.IsSuccessStatusCode)
        {
            return response;
        }

        using (response)
        {
            throw await ToExceptionAsync(response, cancellationToken);
        }
    }

    /// <summary>Whether it is what a broken network leads to.</summary>
    public static bool IsOfNetwork(Exception exception) => exception is HttpRequestException or IOException or JsonException;

    /// <summary>The server's problem; what stands before the server may answer something else.</summary>
    private static async Task<RealtimeException> ToExceptionAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var wait = response.Headers.RetryAfter?.Delta;
        try
        {
            var problem = await response.Content.ReadFromJsonAsync<JsonElement>(cancellationToken);
            if (problem.TryGetProperty("code", out var code) && code.GetString() is { } known)
            {
                var error = ErrorCode.Find(known) with { Retryable = problem.GetProperty("retryable").GetBoolean() };
                wait = problem.TryGetProperty("retryAfterMs", out var milliseconds) ? TimeSpan.FromMilliseconds(milliseconds.GetInt64()) : wait;
                return new RealtimeException(error, problem.GetProperty("detail").GetString()!) { RetryAfter = wait };
            }
        }
        catch (Exception exception) when (exception is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            // It is none of ours.
        }

        return new RealtimeException(ErrorCode.Disconnected, $"The server's address answers {(int)response.StatusCode}.") { RetryAfter = wait };
    }
}
