using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Tools;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace Aspire.Hosting
{
    public static class RedisBuilderExtensions
    {
        /// <summary>A Redis server that demands a password and listens on loopback only.</summary>
        public static IResourceBuilder<RedisResource> AddRedis(this IDistributedApplicationBuilder builder, string name)
        {
            var redis = new RedisResource(name, ParameterResourceBuilderExtensions.CreatePassword(builder, $"{name}-password", special: false));
            var key = $"{name}_check";
            builder.Services.AddHealthChecks().Add(new HealthCheckRegistration(key, _ => new PingCheck(redis), null, null));
            return builder.AddResource(redis)
                .WithEndpoint("tcp", "redis")
                .WithAnnotation(new ProcessAnnotation((context, cancellationToken) => PrepareAsync(redis, context, cancellationToken)))
                .WithHealthCheck(key);
        }

        /// <summary>Keeps the data over runs: snapshots, as the real package's image takes them.</summary>
        public static IResourceBuilder<RedisResource> WithDataVolume(this IResourceBuilder<RedisResource> builder, string? name = null) =>
            builder.WithAnnotation(new VolumeAnnotation(name ?? VolumeName.For(builder)));

        private static async Task<ProcessSpec> PrepareAsync(RedisResource redis, ProcessContext context, CancellationToken cancellationToken)
        {
            var (server, libraries) = await LocateAsync(context.Logger, cancellationToken);
            var data = Directory.CreateDirectory(context.Volume ?? Path.Combine(context.Scratch, "data")).FullName;

            // In a file of our own, not on the command line, where every user of the machine could read the password.
            var file = Path.Combine(context.Scratch, "redis.conf");
            await File.WriteAllTextAsync(file, $"""
                bind 127.0.0.1 -::1
                port {context.Port}
                requirepass "{await redis.PasswordParameter.GetValueAsync(cancellationToken)}"
                dir "{data}"
                save {(context.Volume is null ? "\"\"" : "60 1")}
                maxmemory-policy noeviction
                daemonize no
                """, cancellationToken);
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            return libraries is null
                ? new ProcessSpec(server, [file], data, server)
                : new ProcessSpec("/usr/bin/env", [$"LD_LIBRARY_PATH={libraries}", server, file], data, server);
        }

        private static async Task<(string Server, string? Libraries)> LocateAsync(ILogger logger, CancellationToken cancellationToken)
        {
            if (ToolCache.Find("redis-server", "/usr/bin", "/usr/local/bin", "/opt/homebrew/bin") is { } installed)
                return (installed, null);
            try
            {
                var folder = await ToolCache.GetAsync("redis", f => DebianPackages.UnpackAsync(["redis-server"], f, logger, cancellationToken));
                return (Path.Combine(folder, "usr/bin/redis-server"), DebianPackages.LibraryPath(folder));
            }
            catch (DistributedApplicationException error)
            {
                throw new DistributedApplicationException($"Redis was not found and could not be fetched. Install it, for example with `apt-get install redis-server`. ({error.Message})");
            }
        }

        private sealed class PingCheck(RedisResource redis) : IHealthCheck, IDisposable
        {
            private ConnectionMultiplexer? _connection;

            public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
            {
                try
                {
                    _connection ??= await ConnectionMultiplexer.ConnectAsync(await ((IResourceWithConnectionString)redis).GetConnectionStringAsync(cancellationToken) + ",connectTimeout=1000");
                    await _connection.GetDatabase().PingAsync().WaitAsync(cancellationToken);
                    return HealthCheckResult.Healthy();
                }
                catch (RedisException error)
                {
                    return HealthCheckResult.Unhealthy(error.Message);
                }
            }

            public void Dispose() => _connection?.Dispose();
        }
    }
}

namespace Aspire.Hosting.ApplicationModel
{
    public class RedisResource : ContainerResource, IResourceWithConnectionString
    {
        internal RedisResource(string name, ParameterResource password) : base(name) => PasswordParameter = password;

        public ParameterResource PasswordParameter { get; }

        public ReferenceExpression ConnectionStringExpression =>
            ReferenceExpression.Create($"{new EndpointReference(this, "tcp").Property(EndpointProperty.HostAndPort)},password={PasswordParameter}");
    }
}
