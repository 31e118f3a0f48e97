using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.Logging;
using Polly;
using Polly.CircuitBreaker;
using Polly.Timeout;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Observability;
using RealtimeAspire.Server.Pipeline.Audit;

namespace RealtimeAspire.Server.Pipeline.Hooks;

/// <summary>Asks a backend over HTTP: signed, once, within its time, and not at all for a while after it has failed too often.</summary>
internal sealed partial class HttpHook<TData, TRewrite>
    where TRewrite : class
{
    private const int FailuresCounted = 10;
    private const int MaxReasonLength = 200;

    private static readonly TimeSpan FailuresWithin = TimeSpan.FromSeconds(10);

    private readonly string _point;
    private readonly HookPointOptions _options;
    private readonly JsonTypeInfo<HookQuestion<TData>> _question;
    private readonly JsonTypeInfo<HookAnswer<TRewrite>> _answer;
    private readonly HookSignature _signature;
    private readonly HttpClient _http;
    private readonly RealtimeInstruments _instruments;
    private readonly AuditTrail _audit;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ResiliencePipeline _pipeline;

    public HttpHook(
        string point,
        HookPointOptions options,
        JsonTypeInfo<HookQuestion<TData>> question,
        JsonTypeInfo<HookAnswer<TRewrite>> answer,
        HookSignature signature,
        HttpClient http,
        RealtimeInstruments instruments,
        AuditTrail audit,
        TimeProvider time,
        ILogger logger)
    {
        (_point, _options, _question, _answer, _signature, _http) = (point, options, question, answer, signature, http);
        (_instruments, _audit, _time, _logger) = (instruments, audit, time, logger);
        _pipeline = new ResiliencePipelineBuilder { TimeProvider = time }
            .AddCircuitBreaker(new CircuitBreakerStrategyOptions
            {
                FailureRatio = 0.5,
                MinimumThroughput = FailuresCounted,
                SamplingDuration = FailuresWithin,
                BreakDuration = TimeSpan.FromSeconds(options.BreakSeconds),
                OnOpened = _ => Log(isOpen: true),
                OnClosed = _ => Log(isOpen: false),
            })
            .AddTimeout(TimeSpan.FromMilliseconds(options.TimeoutMs))
            .Build();
    }

    /// <param name="tenant">Whose user asks for it.</param>
    /// <param name="data">What the backend is asked.</param>
    /// <param name="cancellationToken">Nobody waits for it any more.</param>
    /// <returns>What allows it; null: there is no answer, and the policy is to do without.</returns>
    /// <exception cref="RealtimeException">It is denied, with a code; <c>hook_unavailable</c>: there is no answer, and the policy is to deny it.</exception>
    public async Task<HookAnswer<TRewrite>?> AskAsync(string tenant, TData data, CancellationToken cancellationToken)
    {
        var started = _time.GetTimestamp();
        HookAnswer<TRewrite> answer;
        try
        {
            answer = await _pipeline.ExecuteAsync(async limited => await PostAsync(data, limited), cancellationToken);
        }
        catch (Exception exception) when (IsFailure(exception))
        {
            return Fail(tenant, started, exception);
        }

        _instruments.HookAsked(tenant, _point, answer.Result!, _time.GetElapsedTime(started));
        return answer.Result == "deny" ? throw Denied(answer) : answer;
    }

    private static bool IsFailure(Exception exception) =>
        exception is HttpRequestException or IOException or JsonException or FormatException or TimeoutRejectedException or BrokenCircuitException;

    private async Task<HookAnswer<TRewrite>> PostAsync(TData data, CancellationToken cancellationToken)
    {
        var now = _time.GetUtcNow();
        var body = JsonSerializer.SerializeToUtf8Bytes(new HookQuestion<TData>($"realtime.{_point}", now, data), _question);
        using var request = new HttpRequestMessage(HttpMethod.Post, _options.Url) { Content = new ByteArrayContent(body) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        _signature.Sign(request.Headers, $"msg_{Guid.CreateVersion7(now):n}", now, body);
        using var response = await _http.SendAsync(request, cancellationToken);
        if (response.StatusCode is not HttpStatusCode.OK)
        {
            throw new HttpRequestException($"it has answered with {(int)response.StatusCode}, and not with 200");
        }

        return Require(JsonSerializer.Deserialize(await response.Content.ReadAsByteArrayAsync(cancellationToken), _answer));
    }

    private static HookAnswer<TRewrite> Require(HookAnswer<TRewrite>? answer) => answer switch
    {
        { Result: "allow" or "deny", Request: null } or { Result: "rewrite", Request: not null } => answer,
        _ => throw new FormatException("its result is none of allow, deny, and rewrite with a request"),
    };

    private static RealtimeException Denied(HookAnswer<TRewrite> answer)
    {
        var error = answer.Code is { } code && ErrorCode.IsOfApplication(code) ? ErrorCode.Denied with { Code = code } : ErrorCode.Denied;
        var reason = answer.Reason is { Length: > 0 } text ? new string([.. text.Take(MaxReasonLength).Select(static character => char.IsControl(character) ? ' ' : character)]) : error.Sentence;
        return new RealtimeException(error, reason);
    }

    private HookAnswer<TRewrite>? Fail(string tenant, long started, Exception exception)
    {
        var isOpen = exception is BrokenCircuitException;
        var isAllowed = _options.OnFailure is HookFailurePolicy.Allow;
        _instruments.HookAsked(tenant, _point, isOpen ? "not_asked" : "failed", _time.GetElapsedTime(started));
        _audit.Record(AuditAction.HookFailed, tenant, AuditActor.System, _point, isAllowed ? "allowed" : ErrorCode.HookUnavailable.Code);
        LogFailed(_point, exception.Message);
        return isAllowed
            ? null
            : throw new RealtimeException(ErrorCode.HookUnavailable) { RetryAfter = (exception as BrokenCircuitException)?.RetryAfter };
    }

    private ValueTask Log(bool isOpen)
    {
        if (isOpen)
        {
            LogOpened(_point, _options.BreakSeconds);
        }
        else
        {
            LogClosed(_point);
        }

        return ValueTask.CompletedTask;
    }

    [LoggerMessage(EventId = 1590, Level = LogLevel.Debug, Message = "The hook {Point} has not answered: {Reason}")]
    private partial void LogFailed(string point, string reason);

    [LoggerMessage(EventId = 1591, Level = LogLevel.Warning, Message = "The hook {Point} fails too often and is not asked for {Seconds} s")]
    private partial void LogOpened(string point, int seconds);

    [LoggerMessage(EventId = 1592, Level = LogLevel.Information, Message = "The hook {Point} answers again")]
    private partial void LogClosed(string point);
}
