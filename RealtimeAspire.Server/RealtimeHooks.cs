using System.Text.Json.Serialization;
using Microsoft.Extensions.DependencyInjection;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Hooks;

namespace RealtimeAspire.Server;

/// <summary>
/// Middleware of the application's own, around what clients ask for. It runs behind the server's checks, in the order in which it was
/// added, and before the hook of the same name that a backend answers over HTTP (<c>docs/backends.md</c>). What a service key, or code in the process, asks for passes it by.
/// </summary>
/// <remarks>
/// Like other middleware it is given what was asked for and the rest of the way: calling that goes on, not calling it refuses with
/// <c>denied</c>, and a <see cref="RealtimeException"/> refuses with its code and sentence.
/// </remarks>
public static class RealtimeHooks
{
    /// <summary>Around letting somebody in, on the hub and over HTTP alike: it runs for each request that has a valid token.</summary>
    /// <param name="realtime">What <c>AddRealtime()</c> returned.</param>
    /// <param name="middleware">Is given who comes, and what goes on.</param>
    /// <example><code>
    /// builder.AddRealtime().UseConnect((context, next) => IsBlocked(context.UserId) ? throw new RealtimeException(ErrorCode.Denied) : next());
    /// </code></example>
    public static RealtimeBuilder UseConnect(this RealtimeBuilder realtime, Func<ConnectContext, Func<Task>, Task> middleware) => Use(realtime, middleware);

    /// <summary>Around reading a topic: each subscribe, over whichever transport, and each look into a topic's history.</summary>
    /// <inheritdoc cref="UseConnect"/>
    /// <example><code>
    /// builder.AddRealtime().UseSubscribe(async (context, next) => { await next(); CountReader(context.Topic); });
    /// </code></example>
    public static RealtimeBuilder UseSubscribe(this RealtimeBuilder realtime, Func<SubscribeContext, Func<Task>, Task> middleware) => Use(realtime, middleware);

    /// <summary>Around publishing an event. A connection's events keep their order, however long it takes with each.</summary>
    /// <inheritdoc cref="UseConnect"/>
    /// <example><code>
    /// builder.AddRealtime().UsePublish((context, next) => { context.Request = context.Request with { EntityId = context.UserId }; return next(); });
    /// </code></example>
    public static RealtimeBuilder UsePublish(this RealtimeBuilder realtime, Func<PublishContext, Func<Task>, Task> middleware) => Use(realtime, middleware);

    private static RealtimeBuilder Use<TContext>(RealtimeBuilder realtime, Func<TContext, Func<Task>, Task> middleware)
        where TContext : HookContext
    {
        ArgumentNullException.ThrowIfNull(realtime);
        ArgumentNullException.ThrowIfNull(middleware);
        realtime.Services.AddSingleton(new Hook<TContext>(middleware));
        return realtime;
    }
}

/// <summary>Who asks for something.</summary>
public abstract class HookContext
{
    private protected HookContext(string tenant, string userId, IServiceProvider services, CancellationToken cancelled) =>
        (Tenant, UserId, Services, Cancelled) = (tenant, userId, services, cancelled);

    /// <summary>The tenant, from the token.</summary>
    public string Tenant { get; }

    /// <summary>The user, from the token.</summary>
    public string UserId { get; }

    /// <summary>The application's services. For scoped ones make a scope.</summary>
    public IServiceProvider Services { get; }

    /// <summary>Nobody waits for it any more.</summary>
    public CancellationToken Cancelled { get; }
}

/// <summary>Somebody comes in.</summary>
public sealed class ConnectContext : HookContext
{
    internal ConnectContext(string tenant, string userId, string transport, IServiceProvider services, CancellationToken cancelled)
        : base(tenant, userId, services, cancelled) => Transport = transport;

    /// <summary><c>hub</c>, or <c>http</c> for requests, streams and polls.</summary>
    public string Transport { get; }

    /// <summary>From which address, as far as that is known.</summary>
    public string? Address { get; init; }

    /// <summary>The header <c>User-Agent</c>.</summary>
    public string? UserAgent { get; init; }

    /// <summary>When the right to be here ends; null: never by itself.</summary>
    public DateTimeOffset? Expires { get; init; }

    /// <summary>The token's id, which stands for it.</summary>
    internal string? TokenId { get; init; }

    /// <summary>What he may do instead of what his token grants. Null, the default: what the token says.</summary>
    public IReadOnlyList<TopicGrant>? Grants { get; set; }
}

/// <summary>Somebody wants to read a topic.</summary>
public sealed class SubscribeContext : HookContext
{
    internal SubscribeContext(string tenant, string userId, string topic, SubscribeRequest? request, IServiceProvider services, CancellationToken cancelled)
        : base(tenant, userId, services, cancelled) => (Topic, Request) = (topic, request);

    /// <summary>The topic.</summary>
    public string Topic { get; }

    /// <summary>What was asked for. May be replaced by another one, with another start, quality of service or choice of ephemeral events; its topic stays. Null: a page of the topic's history was.</summary>
    public SubscribeRequest? Request { get; set; }
}

/// <summary>Somebody wants to publish an event.</summary>
public sealed class PublishContext : HookContext
{
    internal PublishContext(string tenant, string userId, string topic, PublishRequest request, IServiceProvider services)
        : base(tenant, userId, services, CancellationToken.None) => (Topic, Request) = (topic, request);

    /// <summary>The topic.</summary>
    public string Topic { get; }

    /// <summary>
    /// The event, which has passed all checks. May be replaced by one with another name, payload, entity or version, which is checked again but for the right to publish it;
    /// topic and id stay.
    /// </summary>
    public PublishRequest Request { get; set; }

    /// <summary>What became of it; null until it has been published.</summary>
    public PublishReply? Reply { get; internal set; }
}

/// <summary>Something that may be done with some topics, as tokens grant it.</summary>
public sealed record TopicGrant
{
    /// <param name="topic">Which: <c>room:general</c>, <c>room:team-*</c>, <c>room:*</c>, <c>user:{sub}</c> or <c>*</c>.</param>
    /// <param name="operations">What: subscribe, publish, presence, history, call, manage, or * for all.</param>
    /// <param name="events">For publish, the event names; a last <c>*</c> stands for any end. Null: what the topic's type lets clients publish.</param>
    /// <exception cref="FormatException">It is none; the message says why.</exception>
    [JsonConstructor]
    public TopicGrant(string topic, IReadOnlyList<string> operations, IReadOnlyList<string>? events = null)
    {
        ArgumentNullException.ThrowIfNull(topic);
        ArgumentNullException.ThrowIfNull(operations);
        (Topic, Operations, Events) = (topic, operations, events);
        Grant = new GrantOptions { Topic = topic, Operations = [.. operations], Events = events is null ? null : [.. events] }.ToGrant();
    }

    /// <summary>Which topics.</summary>
    public string Topic { get; }

    /// <summary>What may be done with them.</summary>
    public IReadOnlyList<string> Operations { get; }

    /// <summary>The names of the events that may be published; null: what the topic's type says.</summary>
    public IReadOnlyList<string>? Events { get; }

    internal Grant Grant { get; }
}
