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
        public static IResourceBuilder<PostgresServerResource> AddPostgres(
            this IDistributedApplicationBuilder builder, string name, IResourceBuilder<ParameterResource>? userName = null,
            IResourceBuilder<ParameterResource>? password = null, int? port = null)
        {
            var server = new PostgresServerResource(name, userName?.Resource, password?.Resource
                ?? ParameterResourceBuilderExtensions.CreateDefaultPasswordParameter(builder, $"{name}-password"));
            builder.Eventing.Subscribe<ResourceReadyEvent>(server, (_, cancellationToken) => CreateDatabasesAsync(server, cancellationToken));
            return builder.AddResource(server)
                .WithEndpoint(port: port, targetPort: 5432, name: PostgresServerResource.PrimaryEndpointName)
                .WithAnnotation(new ProcessAnnotation((context, cancellationToken) => PostgresProcess.PrepareAsync(server, context, cancellationToken)))
                .WithConnectionCheck("postgres");
        }

        public static IResourceBuilder<PostgresDatabaseResource> AddDatabase(this IResourceBuilder<PostgresServerResource> builder, string name, string? databaseName = null)
        {
            var database = new PostgresDatabaseResource(name, databaseName ?? name, builder.Resource);
            builder.Resource.Add(database);
            return builder.ApplicationBuilder.AddResource(database).WithConnectionCheck(database.DatabaseName);
        }

        public static IResourceBuilder<PostgresServerResource> WithDataVolume(this IResourceBuilder<PostgresServerResource> builder, string? name = null, bool isReadOnly = false) =>
            builder.WithAnnotation(new ContainerMountAnnotation(name ?? Tools.VolumeName.For(builder), "/var/lib/postgresql"));

        private static IResourceBuilder<T> WithConnectionCheck<T>(this IResourceBuilder<T> builder, string database) where T : IResourceWithConnectionString
        {
            var key = $"{builder.Resource.Name}_check";
            builder.ApplicationBuilder.Services.AddHealthChecks().Add(new HealthCheckRegistration(key, _ => new ConnectionCheck(builder.Resource, database), null, null));
            return builder.WithHealthCheck(key);
        }

        private static async Task CreateDatabasesAsync(PostgresServerResource server, CancellationToken cancellationToken)
        {
            await using var connection = await OpenAsync(server, "postgres", cancellationToken);
            foreach (var database in server.Databases.Values)
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
    public class PostgresServerResource(string name, ParameterResource? userName, ParameterResource password) : ContainerResource(name), IResourceWithConnectionString
    {
        internal const string PrimaryEndpointName = "tcp";
        private readonly Dictionary<string, string> _databases = new(StringComparer.OrdinalIgnoreCase);

        public EndpointReference PrimaryEndpoint => new(this, PrimaryEndpointName);

        public ReferenceExpression UserNameReference => userName is null ? ReferenceExpression.Create($"postgres") : ReferenceExpression.Create($"{userName}");

        public ParameterResource PasswordParameter => password;

        public IReadOnlyDictionary<string, string> Databases => _databases;

        public ReferenceExpression ConnectionStringExpression => ReferenceExpression.Create(
            $"Host={PrimaryEndpoint.Property(EndpointProperty.Host)};Port={PrimaryEndpoint.Property(EndpointProperty.Port)};Username={UserNameReference};Password={PasswordParameter}");

        internal void Add(PostgresDatabaseResource database) => _databases[database.Name] = database.DatabaseName;
    }

    public class PostgresDatabaseResource(string name, string databaseName, PostgresServerResource postgresParentResource)
        : Resource(name), IResourceWithParent<PostgresServerResource>, IResourceWithConnectionString
    {
        public PostgresServerResource Parent => postgresParentResource;

        public string DatabaseName => databaseName;

        public ReferenceExpression ConnectionStringExpression => ReferenceExpression.Create($"{Parent};Database={DatabaseName}");
    }
}
