using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Audit;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Backplane;
using RealtimeAspire.Server.Pipeline.Calls;
using RealtimeAspire.Server.Pipeline.Cursors;
using RealtimeAspire.Server.Pipeline.Limits;
using RealtimeAspire.Server.Pipeline.Nodes;
using RealtimeAspire.Server.Pipeline.Signing;
using RealtimeAspire.Server.Pipeline.Tenants;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;
using RealtimeAspire.Server.Storage;
using StackExchange.Redis;

namespace RealtimeAspire.Server;

/// <summary>
/// Where events are kept and how they reach other nodes: Postgres where the application has registered one, Redis unless the
/// node is a single one, whose memory takes its place.
/// </summary>
internal static class RealtimeStores
{
    private const string SingleNodeKey = $"{RealtimeOptions.Section}:{nameof(RealtimeOptions.SingleNode)}";

    public static void AddStores(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        var hasPostgres = services.Any(service => service.ServiceType == typeof(NpgsqlDataSource));
        var isSingleNode = bool.TryParse(builder.Configuration[SingleNodeKey], out var single) && single;

        // Stopped in reverse: no more publishes, then the backplane sends what they have left behind.
        if (isSingleNode)
        {
            services.AddSingleton<IBackplane>(_ => new InProcessBackplane());
            services.AddSingleton<MemoryTopicLog>();
            services.AddSingleton<INodes, OnlyNode>();
        }
        else
        {
            AddRedis(services);
        }

        if (hasPostgres)
        {
            AddPostgres(services);
        }

        services.AddAudit(hasPostgres);
        services.AddSingleton(provider => ActivatorUtilities.CreateInstance<TenantRegistry>(provider, new TenantsAreKept(hasPostgres)));
        services.AddSingleton<ITenantQuotas>(provider => provider.GetRequiredService<TenantRegistry>());
        services.AddSingleton(provider => new CursorStore(provider.GetService<NpgsqlDataSource>()));
        services.AddSingleton(provider => new Database(provider.GetService<NpgsqlDataSource>()));
        services.AddSingleton(provider => new AccessDatabase(provider.GetService<NpgsqlDataSource>()));
        services.AddSingleton<AccessStore>();
        services.AddSingleton<ServiceKeyStore>();
        services.AddSingleton<IServiceKeySource>(static provider => provider.GetRequiredService<ServiceKeyStore>());
        services.AddSingleton<SigningKeyStore>();
        services.AddSingleton(provider => new LogCatalog(
            provider.GetRequiredService<TopicCatalog>(),
            durable: hasPostgres ? provider.GetRequiredService<PostgresTopicLog>() : new NoTopicLog(),
            recoverable: isSingleNode ? provider.GetRequiredService<MemoryTopicLog>() : provider.GetRequiredService<RedisTopicLog>()));
        services.AddSingleton<IValidateOptions<RealtimeOptions>>(provider => new StoreRequirements(
            hasPostgres, isSingleNode || provider.GetRequiredService<IServiceProviderIsService>().IsService(typeof(IConnectionMultiplexer))));
    }

    public static void AddHosted<T>(this IServiceCollection services)
        where T : class, IHostedService
    {
        services.AddSingleton<T>();
        services.AddHostedService(provider => provider.GetRequiredService<T>());
    }

    private static void AddRedis(IServiceCollection services)
    {
        services.AddSingleton(NodeId.New());
        services.AddSingleton<OtherNodes>();
        services.AddSingleton<RedisConnector>();
        services.AddSingleton<RedisConnect>(provider => provider.GetRequiredService<RedisConnector>().ConnectAsync);
        services.AddSingleton(provider => new RedisLink(
            provider.GetRequiredService<RedisConnect>(), new RedisPing(), provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<RedisLink>>()));
        services.AddSingleton<RedisChannels>();
        services.AddHosted<RedisBackplane>();
        services.AddSingleton<IBackplane>(provider => provider.GetRequiredService<RedisBackplane>());
        services.AddHosted<RedisCalls>();
        services.AddHosted<RedisNodes>();
        services.AddSingleton<INodes>(provider => provider.GetRequiredService<RedisNodes>());
        services.AddSingleton<RedisScripts>();
        services.AddHosted<RedisAppender>();
        services.AddSingleton<RedisTopicLog>();
        services.AddHealthChecks().AddCheck<RedisBackplane>("backplane");
    }

    private static void AddPostgres(IServiceCollection services)
    {
        services.AddSingleton(Migration.LoadAll());
        services.AddSingleton<Migrator>();
        services.AddSingleton<TopicTypeTable>();
        services.AddSingleton<PartitionCompaction>();
        services.AddSingleton<RetentionSweep>();
        services.AddHosted<StorageKeeper>();
        services.AddHealthChecks().AddCheck<StorageKeeper>("storage");
        services.AddHosted<PostgresAppender>();
        services.AddSingleton<PostgresTopicLog>();
        services.AddHosted<PostgresListener>();
        services.AddHosted<AccessWatch>();
        services.AddHealthChecks().AddCheck<AccessWatch>("access");
        services.AddSingleton<TenantStore>();
        services.AddHosted<TenantWatch>();
        services.AddHealthChecks().AddCheck<TenantWatch>("tenants");
    }
}

/// <summary>Whether the stores that the configuration asks for have been registered.</summary>
internal sealed class StoreRequirements(bool hasPostgres, bool hasRedis) : IValidateOptions<RealtimeOptions>
{
    public ValidateOptionsResult Validate(string? name, RealtimeOptions options)
    {
        var errors = new List<string>();
        if (!hasRedis)
        {
            errors.Add($"{RealtimeOptions.Section}:SingleNode: without Redis a node serves only when this is true.");
        }

        if (!hasPostgres)
        {
            var durable = options.TopicTypes.Where(type => type.Value.Durability is Durability.Durable).Select(type => type.Key);
            var builtIn = options.TopicTypes.ContainsKey(TopicCatalog.Room) ? [] : new[] { TopicCatalog.Room };
            errors.AddRange(durable.Concat(builtIn).Select(type =>
                $"{RealtimeOptions.Section}:TopicTypes:{type}:Durability: durable topics are kept in Postgres; register an NpgsqlDataSource before AddRealtime(), or choose Recoverable or Ephemeral."));
        }

        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
    }
}
