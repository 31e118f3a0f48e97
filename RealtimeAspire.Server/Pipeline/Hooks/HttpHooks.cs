using System.Text.Json;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Observability;
using RealtimeAspire.Server.Pipeline.Audit;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.Hooks;

/// <summary>The hooks of the configuration, as the last middleware of their points.</summary>
internal sealed class HttpHooks : IDisposable
{
    private const int MaxAnswerBytes = 256 * 1024;
    private const int MaxConnections = 100;
    private const int MaxCached = 100_000;

    private readonly HttpClient _http = new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        UseCookies = false,
        MaxConnectionsPerServer = MaxConnections,
        PooledConnectionLifetime = TimeSpan.FromMinutes(2),
    })
    {
        MaxResponseContentBufferSize = MaxAnswerBytes,
        Timeout = Timeout.InfiniteTimeSpan,
    };

    // What counts for a while: for a token, and for a user and a topic.
    private readonly MemoryCache _answers = new(new MemoryCacheOptions { SizeLimit = MaxCached });

    public HttpHooks(IOptions<RealtimeOptions> options, RealtimeInstruments instruments, AuditTrail audit, TimeProvider time, ILogger<HttpHooks> logger)
    {
        var hooks = options.Value.Hooks;
        var signature = new HookSignature(hooks.OtherSecret is { } other ? [hooks.Secret, other] : [hooks.Secret]);
        if (!string.IsNullOrEmpty(hooks.Connect.Url))
        {
            var ask = new HttpHook<ConnectQuestion, ConnectRewrite>(
                "connect", hooks.Connect, HookJson.Default.HookQuestionConnectQuestion, HookJson.Default.HookAnswerConnectRewrite, signature, _http, instruments, audit, time, logger);
            Connect = [new((context, next) => ConnectAsync(ask, hooks.Connect, context, next))];
        }

        if (!string.IsNullOrEmpty(hooks.Subscribe.Url))
        {
            var ask = new HttpHook<SubscribeQuestion, SubscribeRewrite>(
                "subscribe", hooks.Subscribe, HookJson.Default.HookQuestionSubscribeQuestion, HookJson.Default.HookAnswerSubscribeRewrite, signature, _http, instruments, audit, time, logger);
            Subscribe = [new((context, next) => SubscribeAsync(ask, hooks.Subscribe, context, next), CoverOf(hooks.Subscribe))];
        }

        if (!string.IsNullOrEmpty(hooks.Publish.Url))
        {
            var ask = new HttpHook<PublishQuestion, PublishRewrite>(
                "publish", hooks.Publish, HookJson.Default.HookQuestionPublishQuestion, HookJson.Default.HookAnswerPublishRewrite, signature, _http, instruments, audit, time, logger);
            Publish = [new((context, next) => PublishAsync(ask, hooks.Publish.Events, context, next), CoverOf(hooks.Publish))];
        }
    }

    public IReadOnlyList<Hook<ConnectContext>> Connect { get; } = [];

    public IReadOnlyList<Hook<SubscribeContext>> Subscribe { get; } = [];

    public IReadOnlyList<Hook<PublishContext>> Publish { get; } = [];

    public void Dispose()
    {
        _answers.Dispose();
        _http.Dispose();
    }

    private static Func<Caller, TopicName, bool>? CoverOf(HookPointOptions options)
    {
        if (options.Topics is not { Length: > 0 } texts)
        {
            return null;
        }

        TopicPattern[] patterns = [.. texts.Select(TopicPattern.Parse)];
        return (caller, topic) => Array.Exists(patterns, pattern => pattern.Matches(topic, caller.UserId));
    }

    private async Task ConnectAsync(HttpHook<ConnectQuestion, ConnectRewrite> ask, HookPointOptions options, ConnectContext context, Func<Task> next)
    {
        var question = new ConnectQuestion(context.Tenant, context.UserId, context.Transport, context.Address, context.UserAgent, context.Expires);
        var key = context.TokenId is { } token ? (context.Tenant, context.UserId, token) : (object?)null;
        if (await AnswerAsync(ask, question, context, key, options.CacheSeconds) is { Request: { } rewrite })
        {
            context.Grants = rewrite.Grants ?? context.Grants;
        }

        await next();
    }

    private async Task SubscribeAsync(HttpHook<SubscribeQuestion, SubscribeRewrite> ask, HookPointOptions options, SubscribeContext context, Func<Task> next)
    {
        var operation = context.Request is null ? "history" : "subscribe";
        var question = new SubscribeQuestion(context.Tenant, context.UserId, context.Topic, operation, context.Request);
        var answer = await AnswerAsync(ask, question, context, (context.Tenant, context.UserId, context.Topic, operation), options.CacheSeconds);
        if (answer?.Request is { } rewrite && context.Request is { } request)
        {
            context.Request = request with
            {
                // Only one start: a position that the client has counts more.
                Rewind = request.Position is null && request.From is null ? rewrite.Rewind ?? request.Rewind : request.Rewind,
                Qos = rewrite.Qos ?? request.Qos,
                Ephemeral = rewrite.Ephemeral ?? request.Ephemeral,
            };
        }

        await next();
    }

    private static async Task PublishAsync(HttpHook<PublishQuestion, PublishRewrite> ask, string[]? events, PublishContext context, Func<Task> next)
    {
        var request = context.Request;
        if (events is not { Length: > 0 } || EventPattern.Matches(events, request.Event!))
        {
            var question = new PublishQuestion(context.Tenant, context.UserId, context.Topic, request with { Topic = null });
            if (await ask.AskAsync(context.Tenant, question, context.Cancelled) is { Request: { } rewrite })
            {
                context.Request = request with
                {
                    Event = rewrite.Event ?? request.Event,
                    Payload = rewrite.Payload.ValueKind is JsonValueKind.Undefined ? request.Payload : rewrite.Payload,
                    EntityId = rewrite.EntityId ?? request.EntityId,
                    Version = rewrite.Version ?? request.Version,
                };
            }
        }

        await next();
    }

    /// <summary>Asks, unless the same has been asked a moment ago. What is missing is asked again.</summary>
    private async Task<HookAnswer<TRewrite>?> AnswerAsync<TData, TRewrite>(
        HttpHook<TData, TRewrite> ask, TData question, HookContext context, object? key, int seconds)
        where TRewrite : class
    {
        if (key is not null && _answers.TryGetValue(key, out var known))
        {
            return known is RealtimeException denied ? throw new RealtimeException(denied.Error, denied.Message) : (HookAnswer<TRewrite>?)known;
        }

        try
        {
            var answer = await ask.AskAsync(context.Tenant, question, context.Cancelled);
            Keep(answer);
            return answer;
        }
        catch (RealtimeException exception) when (exception.Error != ErrorCode.HookUnavailable)
        {
            Keep(exception);
            throw;
        }

        void Keep(object? answer)
        {
            if (answer is not null && key is not null && seconds > 0)
            {
                _answers.Set(key, answer, new MemoryCacheEntryOptions { AbsoluteExpirationRelativeToNow = TimeSpan.FromSeconds(seconds), Size = 1 });
            }
        }
    }
}
