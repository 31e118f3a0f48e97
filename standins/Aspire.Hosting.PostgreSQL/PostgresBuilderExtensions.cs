using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Postgres;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Npgsql;

namespace Aspire.Hosting
{
    public static class PostgresBuilderExtensions
    {
        /// <summary>A PostgreSQL server that demands a password and listens on loopback only.</summary>
        public static IResourceBuilder<PostgresServerResource> AddPostgres(this IDistributedApplicationBuilder builder, string name)
        {
            var server = new PostgresServerResource(name, ParameterResourceBuilderExtensions.CreatePassword(builder, $"{name}-password", special: true));
            return builder.AddResource(server)
                .WithEndpoint("tcp")
                .WithAnnotation(new ReadyAnnotation(cancellationToken => CreateDatabasesAsync(server, cancellationToken)))
                .WithAnnotation(new ProcessAnnotation((context, cancellationToken) => PostgresProcess.PrepareAsync(server, context, cancellationToken)))
                .WithConnectionCheck("postgres");
        }

        public static IResourceBuilder<PostgresDatabaseResource> AddDatabase(this IResourceBuilder<PostgresServerResource> builder, string name)
        {
            builder.Resource.Databases.Add(name);
            return builder.ApplicationBuilder.AddResource(new PostgresDatabaseResource(name, builder.Resource)).WithConnectionCheck(name);
        }

        public static IResourceBuilder<PostgresServerResource> WithDataVolume(this IResourceBuilder<PostgresServerResource> builder, string? name = null) =>
            builder.WithAnnotation(new VolumeAnnotation(name ?? Tools.VolumeName.For(builder)));

        private static IResourceBuilder<T> WithConnectionCheck<T>(this IResourceBuilder<T> builder, string database) where T : IResourceWithConnectionString
        {
            var key = $"{builder.Resource.Name}_check";
            builder.ApplicationBuilder.Services.AddHealthChecks().Add(new HealthCheckRegistration(key, _ => new ConnectionCheck(builder.Resource, database), null, null));
            return builder.WithHealthCheck(key);
        }

        private static async Task CreateDatabasesAsync(PostgresServerResource server, CancellationToken cancellationToken)
        {
            await using var connection = await OpenAsync(server, "postgres", cancellationToken);
            foreach (var database in server.Databases)
            {
                await using var exists = new NpgsqlCommand("select 1 from pg_database where datname = $1", connection) { Parameters = { new() { Value = database } } };
                if (await exists.ExecuteScalarAsync(cancellationToken) is not null)
                    continue;
                await using var create = new NpgsqlCommand($"create database \"{database.Replace("\"", "\"\"", StringComparison.Ordinal)}\"", connection);
                await create.ExecuteNonQueryAsync(cancellationToken);
            }
        }

        private static async Task<NpgsqlConnection> OpenAsync(IResourceWithConnectionString resource, string database, CancellationToken cancellationToken)
        {
            // Without a pool: an idle connection would hold up the server's shutdown.
            var settings = new NpgsqlConnectionStringBuilder(await resource.GetConnectionStringAsync(cancellationToken)) { Database = database, Pooling = false, Timeout = 5 };
            var connection = new NpgsqlConnection(settings.ConnectionString);
            await connection.OpenAsync(cancellationToken);
            return connection;
        }

        private sealed class ConnectionCheck(IResourceWithConnectionString resource, string database) : IHealthCheck
        {
            public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
            {
                try
                {
                    await using var connection = await OpenAsync(resource, database, cancellationToken);
                    return HealthCheckResult.Healthy();
                }
                catch (NpgsqlException error)
                {
                    return HealthCheckResult.Unhealthy(error.Message);
                }
            }
        }
    }
}

namespace Aspire.Hosting.ApplicationModel
{
    public class PostgresServerResource : ContainerResource, IResourceWithConnectionString
    {
        internal const string UserName = "postgres";

        internal PostgresServerResource(string name, ParameterResource password) : base(name) => PasswordParameter = password;

        public ParameterResource PasswordParameter { get; }

        public ReferenceExpression ConnectionStringExpression
        {
            get
            {
                var endpoint = new EndpointReference(this, "tcp");
                return ReferenceExpression.Create($"Host={endpoint.Property(EndpointProperty.Host)};Port={endpoint.Property(EndpointProperty.Port)};Username={UserName};Password={PasswordParameter}");
            }
        }

        internal List<string> Databases { get; } = [];
    }

    public class PostgresDatabaseResource : Resource, IResourceWithParent<PostgresServerResource>, IResourceWithConnectionString
    {
        internal PostgresDatabaseResource(string name, PostgresServerResource server) : base(name) => Parent = server;

        public PostgresServerResource Parent { get; }

        public ReferenceExpression ConnectionStringExpression => ReferenceExpression.Create($"{Parent};Database={Name}");
    }
}
