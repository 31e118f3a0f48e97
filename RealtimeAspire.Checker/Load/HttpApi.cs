using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using RealtimeAspire.Checker.Proof;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Checker.Load;

/// <summary>The HTTP side of a deployment, for one user.</summary>
internal sealed class HttpApi(string user, LoadOptions options, TimeProvider time) : IDisposable
{
    private const int PageSize = 1_000;

    private static readonly TimeSpan PageTime = TimeSpan.FromSeconds(10);

    private readonly HttpClient _http = new() { Timeout = Timeout.InfiniteTimeSpan };
    private string? _token;
    private int _requests;

    /// <exception cref="RealtimeException">Refused or failed, with a code.</exception>
    public Task<PublishReply> PublishAsync(PublishRequest request, TimeSpan timeout, CancellationToken cancellationToken)
    {
        var address = new Uri(options.PublishAt(_requests++), $"topics/{Uri.EscapeDataString(request.Topic!)}/events");
        return SendAsync(
            () => new HttpRequestMessage(HttpMethod.Post, address) { Content = JsonContent.Create(request with { Topic = null }, RealtimeJson.Default.PublishRequest) },
            body => body.Deserialize(RealtimeJson.Default.PublishReply)!, timeout, cancellationToken);
    }

    /// <summary>The whole log, page by page.</summary>
    /// <exception cref="RealtimeException">Refused or failed, with a code.</exception>
    public async Task<History> ReadAsync(string topic, CancellationToken cancellationToken)
    {
        var events = new List<Seen>();
        Position? after = null;
        while (true)
        {
            var position = after is { } at ? $"&after={Uri.EscapeDataString(at.ToString())}" : "";
            var address = new Uri(options.History, string.Create(CultureInfo.InvariantCulture, $"topics/{Uri.EscapeDataString(topic)}/events?limit={PageSize}{position}"));
            var page = await SendAsync(
                () => new HttpRequestMessage(HttpMethod.Get, address), body => body.Deserialize(RealtimeJson.Default.HistoryReply)!, PageTime, cancellationToken);
            if (page.Recovery is Recovery.Gap or Recovery.NewEpoch)
            {
                throw new RealtimeException(ErrorCode.LogUnavailable, "The log changed while it was read.");
            }

            events.AddRange(page.Events.Select(ReadingLog.ToSeen));
            if (page.Complete)
            {
                return new History(topic, page.Position, events);
            }

            after = page.Position;
        }
    }

    /// <summary>A stream of topics, from the id of a frame of an earlier one, else from now on.</summary>
    /// <exception cref="RealtimeException">Refused or failed, with a code.</exception>
    public Task<HttpResponseMessage> OpenStreamAsync(Uri server, IEnumerable<string> topics, string? lastId, CancellationToken cancellationToken)
    {
        var address = new Uri(server, $"topics/stream?{string.Join('&', topics.Select(topic => $"topic={Uri.EscapeDataString(topic)}"))}");
        return InTimeAsync(
            async cancelled =>
            {
                using var message = await SignAsync(new HttpRequestMessage(HttpMethod.Get, address), cancelled);
                if (lastId is not null)
                {
                    message.Headers.Add("Last-Event-ID", lastId);
                }

                var response = await _http.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, cancelled);
                if (response.IsSuccessStatusCode)
                {
                    return response;
                }

                using (response)
                {
                    using var problem = JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync(cancelled));
                    throw ToError(problem.RootElement);
                }
            },
            PageTime, cancellationToken);
    }

    /// <summary>What there is behind each position, or comes within the wait; from now on where there is no position.</summary>
    /// <exception cref="RealtimeException">Refused or failed, with a code.</exception>
    public Task<SubscribeReply[]> PollAsync(Uri server, IEnumerable<(string Topic, Position? After)> topics, TimeSpan wait, CancellationToken cancellationToken)
    {
        var query = string.Join('&', topics.Select(topic => $"topic={Uri.EscapeDataString(topic.Topic)}&after={Uri.EscapeDataString(topic.After?.ToString() ?? "")}"));
        var address = new Uri(server, string.Create(CultureInfo.InvariantCulture, $"topics/events?{query}&wait={wait.TotalSeconds:0}"));
        return SendAsync(
            () => new HttpRequestMessage(HttpMethod.Get, address),
            body => body.GetProperty("topics").EnumerateArray().Select(reply => reply.Deserialize(RealtimeJson.Default.SubscribeReply)!).ToArray(),
            wait + PageTime, cancellationToken);
    }

    public void Dispose() => _http.Dispose();

    private Task<T> SendAsync<T>(Func<HttpRequestMessage> request, Func<JsonElement, T> read, TimeSpan timeout, CancellationToken cancellationToken) => InTimeAsync(
        async cancelled =>
        {
            using var message = await SignAsync(request(), cancelled);
            using var response = await _http.SendAsync(message, cancelled);
            using var body = JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync(cancelled));
            return response.IsSuccessStatusCode ? read(body.RootElement) : throw ToError(body.RootElement);
        },
        timeout, cancellationToken);

    private async Task<HttpRequestMessage> SignAsync(HttpRequestMessage message, CancellationToken cancellationToken)
    {
        message.Headers.Authorization = new AuthenticationHeaderValue("Bearer", _token ??= await options.Token(user, cancellationToken));
        return message;
    }

    private async Task<T> InTimeAsync<T>(Func<CancellationToken, Task<T>> act, TimeSpan timeout, CancellationToken cancellationToken)
    {
        using var late = new CancellationTokenSource(timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        try
        {
            return await act(either.Token);
        }
        // An error page of a proxy in between is no answer of ours either.
        catch (Exception exception) when (
            exception is HttpRequestException or IOException or JsonException
            || (exception is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            throw new RealtimeException(ErrorCode.Disconnected, exception.Message, exception);
        }
    }

    private static RealtimeException ToError(JsonElement problem) =>
        problem.ValueKind is JsonValueKind.Object && problem.TryGetProperty("code", out var code) && code.GetString() is { } text
            ? new RealtimeException(ErrorCode.Find(text), problem.TryGetProperty("detail", out var detail) ? detail.GetString() ?? text : text)
            : new RealtimeException(ErrorCode.Disconnected, "The answer is not one of the server.");
}
