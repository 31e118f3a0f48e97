using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Configuration.Memory;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using RealtimeAspire.Server.Http;
using RealtimeAspire.Server.Observability;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Calls;
using RealtimeAspire.Server.Pipeline.Connections;
using RealtimeAspire.Server.Pipeline.Connections.WebSockets;
using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Hooks;
using RealtimeAspire.Server.Pipeline.Identity;
using RealtimeAspire.Server.Pipeline.Limits;
using RealtimeAspire.Server.Pipeline.Nodes;
using RealtimeAspire.Server.Pipeline.Signals;
using RealtimeAspire.Server.Pipeline.Signing;
using RealtimeAspire.Server.Pipeline.Tenants;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Server;

/// <summary>
/// The server in an ASP.NET Core app: <c>builder.AddRealtime()</c> and <c>app.MapRealtime()</c>. It uses the <c>NpgsqlDataSource</c>
/// and, unless <c>Realtime:SingleNode</c> is set, the <c>IConnectionMultiplexer</c> that were registered before.
/// </summary>
public static class RealtimeServer
{
    internal const string HubPath = "/realtime";

    private const int ParallelInvocations = 32;

    /// <summary>Registers the server. Features hang on what it returns.</summary>
    /// <param name="builder">The application's builder.</param>
    public static RealtimeBuilder AddRealtime(this IHostApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var services = builder.Services;
        services.AddOptions<RealtimeOptions>().BindConfiguration(RealtimeOptions.Section)
            .PostConfigure<IHostEnvironment>(static (options, environment) => options.Auth.BuiltIn ??= environment.IsDevelopment()).ValidateOnStart();
        services.AddSingleton<IValidateOptions<RealtimeOptions>, RealtimeOptionsValidator>();
        services.AddSingleton<IValidateOptions<RealtimeOptions>, EventFolderValidator>();
        services.AddSingleton<IValidateOptions<RealtimeOptions>, IdentityRequirements>();
        services.TryAddSingleton(TimeProvider.System);
        AddObservability(builder);
        builder.AddStores();
        AddPipeline(services);
        AddHub(services);
        AddHttp(services);
        services.AddSignals();
        return new RealtimeBuilder(builder).AddSignalEvents().AddConfiguredEvents(builder.Configuration);
    }

    /// <summary>Maps the hub and the HTTP API, with the middleware that they need before them.</summary>
    /// <param name="app">The application.</param>
    public static WebApplication MapRealtime(this WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        RequireDevelopment(app.Services);
        ConnectFeeds(app.Services);
        app.UseMiddleware<UnreadBodies>();
        app.UseTls();
        app.UseExceptionHandler();
        app.UseStatusCodePages();
        app.UseMiddleware<OptionsAnswer>();
        app.UseWebSockets();
        app.UseMiddleware<OriginCheck>();
        app.UseCors();
        app.UseClientGate();
        app.UseConnectGate();
        app.UseAuthentication();
        app.UseAuthorization();
        app.UseMiddleware<TenantGate>();
        app.UseCallerGate();
        app.UseMiddleware<DrainGate>();
        app.UseMiddleware<ConnectionGate>();
        app.MapHub();
        app.MapTokenApi();
        app.MapAccountApi();
        app.MapHttpApi();
        return app;
    }

    private static void AddObservability(IHostApplicationBuilder builder)
    {
        builder.Services.AddSingleton<RealtimeInstruments>();
        builder.Services.AddSingleton<RealtimeTracing>();
        // Logs each request with its query, and the hub's query holds the token.
        builder.Logging.AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.Warning);
        // Logs a stack for each call that is refused, so clients could fill the logs; what failed for a reason of ours HubErrors says.
        builder.Logging.AddFilter("Microsoft.AspNetCore.SignalR.Internal.DefaultHubDispatcher", LogLevel.None);
    }

    private static void AddPipeline(IServiceCollection services)
    {
        services.AddLimits();
        services.AddHooks();
        services.AddSingleton<TopicAccess>();
        services.AddSingleton<Memberships>();
        services.AddSingleton<Revocations>();
        services.AddSingleton<ServiceKeys>();
        services.AddSingleton<ServerSigningKeys>();
        services.AddSingleton<SignatureCheck>();
        services.AddSingleton<SigningKeyPath>();
        services.AddSingleton<Admission>();
        services.AddSingleton<RightsCheck>();
        services.AddSingleton<TopicCatalog>();
        services.AddSingleton<EventCatalog>();
        services.AddSingleton(provider => new TailMemory(provider.GetRequiredService<IOptions<RealtimeOptions>>().Value.Limits.TailBytes));
        services.AddSingleton<FaultPoints>();
        services.AddSingleton<FeedContext>();
        services.AddHosted<FeedRegistry>();
        services.AddSingleton<EphemeralPace>();
        services.AddSingleton<PublishPath>();
        services.AddSingleton<SubscribeStart>();
        services.AddSingleton(provider => ActivatorUtilities.CreateInstance<SubscribePath>(provider));
        services.AddSingleton<HistoryPath>();
        services.AddSingleton<AcknowledgePath>();
        services.AddSingleton<CallHandlers>();
        services.AddSingleton<HandedCalls>();
        services.AddSingleton(provider => ActivatorUtilities.CreateInstance<CallPath>(provider));
        services.AddSingleton<ReceiptPath>();
        services.AddSingleton<RefreshPath>();
        services.AddSingleton<MembershipPath>();
        services.AddSingleton<ThisNode>();
        services.AddSingleton(provider => ActivatorUtilities.CreateInstance<BackendPath>(provider));
        services.AddSingleton<ITopicPublisher, TopicPublisher>();
        services.AddSingleton<ConnectionFactory>();
        services.AddHosted<ReturnAdvice>();
        services.AddHosted<Drain>();
        services.AddHealthChecks().AddCheck<Drain>("drain");
    }

    private static void AddHub(IServiceCollection services)
    {
        // Everything for this hub alone: the application may have others.
        services.AddSignalR().AddHubOptions<RealtimeHub>(options =>
        {
            options.AddFilter<HubErrors>();
            options.AddFilter<TenantFilter>();
        });
        services.AddSingleton<HubErrors>();
        services.AddSingleton<TenantFilter>();
        services.AddHosted<Heartbeat>();
        services.AddSingleton<WebSocketEndpoint>();
        // Before the application's own: where it listens by itself, its endpoints have the defaults of that moment.
        services.Insert(0, ServiceDescriptor.Singleton<IConfigureOptions<KestrelServerOptions>>(
            new ConfigureOptions<KestrelServerOptions>(kestrel => kestrel.ConfigureEndpointDefaults(Handover.Use))));
        services.AddSingleton<HubLifetimeManager<RealtimeHub>, HubLifetime>();
        services.AddSingleton(provider => ActivatorUtilities.CreateInstance<HubConnectionHandler<RealtimeHub>>(
            provider, new HubProtocolResolver(provider.GetRequiredService<IOptions<RealtimeOptions>>().Value.Limits.HubMessageBytes)));
        services.AddOptions<HubOptions<RealtimeHub>>().Configure<IOptions<RealtimeOptions>>((hub, realtime) =>
        {
            hub.MaximumParallelInvocationsPerClient = ParallelInvocations;
            hub.MaximumReceiveMessageSize = realtime.Value.Limits.HubMessageBytes;
            hub.KeepAliveInterval = TimeSpan.FromSeconds(15);
            hub.ClientTimeoutInterval = TimeSpan.FromSeconds(30);
        });
    }

    private static void MapHub(this WebApplication app)
    {
        if (app.Services.GetRequiredService<IOptions<RealtimeOptions>>().Value.Connections.Sockets is SocketMode.Standard)
        {
            app.MapHub<RealtimeHub>(HubPath, options => options.Transports = HttpTransportType.WebSockets).RequireAuthorization();
        }
        else
        {
            app.Services.GetRequiredService<WebSocketEndpoint>().Map<RealtimeHub>(app, HubPath);
        }
    }

    private static void AddHttp(IServiceCollection services)
    {
        services.AddBearerTokens();
        services.AddIdentity();
        services.AddHttpApi();
    }

    private static void RequireDevelopment(IServiceProvider provider)
    {
        if (provider.GetRequiredService<IOptions<RealtimeOptions>>().Value.Faults.KillAfterCommit > 0 && !provider.GetRequiredService<IHostEnvironment>().IsDevelopment())
        {
            throw new OptionsValidationException(RealtimeOptions.Section, typeof(RealtimeOptions),
                [$"{RealtimeOptions.Section}:Faults:KillAfterCommit: is for proofs in development; elsewhere it must be 0."]);
        }
    }

    /// <summary>What tells feeds to look at their logs, beside the backplane.</summary>
    private static void ConnectFeeds(IServiceProvider provider)
    {
        if (provider.GetService<PostgresListener>() is not { } listener)
        {
            return;
        }

        var feeds = provider.GetRequiredService<FeedRegistry>();
        listener.Published += feeds.Check;
        listener.Restored += feeds.CheckAll;
        feeds.IsAlone = () => !listener.IsListening;
    }
}

/// <summary>Where features register themselves.</summary>
/// <param name="builder">The application's builder.</param>
public sealed class RealtimeBuilder(IHostApplicationBuilder builder)
{
    internal IServiceCollection Services => builder.Services;

    internal IConfiguration Configuration => builder.Configuration;

    internal string ContentRoot => builder.Environment.ContentRootPath;

    /// <summary>A feature's own value of a setting, for where the application has none.</summary>
    internal RealtimeBuilder SetDefault(string key, string value)
    {
        builder.Configuration.Sources.Insert(0, new MemoryConfigurationSource { InitialData = [new(key, value)] });
        return this;
    }

    /// <summary>
    /// Registers an event of topics of a type: each payload that is published is checked to have the form of <typeparamref name="T"/>,
    /// and <c>/asyncapi/v3.json</c> describes it, from which clients have their types. On members <c>[StringLength]</c>,
    /// <c>[Length]</c>, <c>[MinLength]</c>, <c>[MaxLength]</c> and <c>[Range]</c> are bounds, <c>[Description]</c> is for readers.
    /// </summary>
    /// <typeparam name="T">What the payload is. Members beyond its own are let through.</typeparam>
    /// <param name="topicType">The topics' type.</param>
    /// <param name="eventName">The event name, for example <c>app:tick</c>.</param>
    /// <param name="payload">How the type looks as JSON, from a source-generated context; by default as reflection and the settings of the web have it.</param>
    /// <param name="fromClients">Whether clients may publish it, also where the topic type's <c>ClientEvents</c> do not say so.</param>
    /// <param name="version">The version (<c>v</c>) of the event whose payload this is, 1 or more. Those of other versions are registered beside it.</param>
    /// <exception cref="ArgumentException">No event can have this name, or version.</exception>
    /// <exception cref="NotSupportedException">The type has a bound that a schema cannot say.</exception>
    /// <exception cref="InvalidOperationException">The event is registered already in this version.</exception>
    /// <example><code>builder.AddRealtime().AddEvent("ticker", "app:tick", AppJson.Default.Tick);</code></example>
    public RealtimeBuilder AddEvent<T>(string topicType, string eventName, JsonTypeInfo<T>? payload = null, bool fromClients = false, int version = 1)
    {
        if (!EventCatalog.IsName(eventName))
        {
            throw new ArgumentException($"“{eventName}” is no event name: 1 to {EventCatalog.MaxNameLength} letters, digits and . _ : -, a letter first.", nameof(eventName));
        }

        ArgumentOutOfRangeException.ThrowIfLessThan(version, 1);
        return this.AddRule(new EventRule(topicType, eventName, PayloadSchema.Of(payload ?? JsonSerializerOptions.Web.GetTypeInfo(typeof(T))), fromClients, version));
    }
}
