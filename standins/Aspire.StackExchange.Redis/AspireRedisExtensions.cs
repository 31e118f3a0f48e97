using Aspire.StackExchange.Redis;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Microsoft.Extensions.Hosting;

public static class AspireRedisExtensions
{
    private const string HealthCheckName = "StackExchange.Redis";

    /// <summary>
    /// Registers <see cref="IConnectionMultiplexer"/> and its <see cref="ConfigurationOptions"/> as options, from <c>ConnectionStrings:{connectionName}</c>.
    /// It connects when it is first asked for, and keeps trying when Redis is not there.
    /// </summary>
    public static void AddRedisClient(
        this IHostApplicationBuilder builder,
        string connectionName,
        Action<StackExchangeRedisSettings>? configureSettings = null,
        Action<ConfigurationOptions>? configureOptions = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(connectionName);

        var settings = new StackExchangeRedisSettings { ConnectionString = builder.Configuration.GetConnectionString(connectionName) };
        configureSettings?.Invoke(settings);

        builder.Services.TryAddTransient<IOptionsFactory<ConfigurationOptions>>(services =>
            ActivatorUtilities.CreateInstance<ConnectionStringOptionsFactory>(services, settings));
        if (configureOptions is not null)
            builder.Services.Configure(configureOptions);

        builder.Services.AddSingleton<IConnectionMultiplexer>(services =>
        {
            var options = services.GetRequiredService<IOptions<ConfigurationOptions>>().Value;
            return options.EndPoints.Count > 0
                ? ConnectionMultiplexer.Connect(options)
                : throw new InvalidOperationException($"Redis has no address: set 'ConnectionStrings:{connectionName}'.");
        });

        if (!settings.DisableHealthChecks && builder.Properties.TryAdd($"Aspire.HealthChecks.{HealthCheckName}", true))
            builder.Services.AddHealthChecks().AddCheck<RedisHealthCheck>(HealthCheckName);
    }

    /// <summary>Starts from the connection string, which <see cref="ConfigurationOptions.Parse(string)"/> can only turn into a new object.</summary>
    private sealed class ConnectionStringOptionsFactory(
        StackExchangeRedisSettings settings,
        IEnumerable<IConfigureOptions<ConfigurationOptions>> setups,
        IEnumerable<IPostConfigureOptions<ConfigurationOptions>> postConfigures,
        IEnumerable<IValidateOptions<ConfigurationOptions>> validations)
        : OptionsFactory<ConfigurationOptions>(setups, postConfigures, validations)
    {
        protected override ConfigurationOptions CreateInstance(string name)
        {
            var options = string.IsNullOrWhiteSpace(settings.ConnectionString) ? base.CreateInstance(name) : ConfigurationOptions.Parse(settings.ConnectionString);
            // Its own default is to give up for ever when the first connect fails. ToString shows what was set explicitly.
            if (!options.ToString(includePassword: false).Contains("abortConnect=", StringComparison.OrdinalIgnoreCase))
                options.AbortOnConnectFail = false;
            return options;
        }
    }
}
