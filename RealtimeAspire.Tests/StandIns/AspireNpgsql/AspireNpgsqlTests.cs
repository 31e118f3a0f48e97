using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Npgsql;
using OpenTelemetry.Trace;
using Xunit;

namespace RealtimeAspire.Tests.StandIns.AspireNpgsql;

public sealed class AspireNpgsqlTests
{
    [Fact]
    public async Task The_connection_string_comes_from_the_configuration()
    {
        await using var services = Services("Host=db.example;Database=realtime;Username=me;Password=a=b;", builder => builder.ConnectionStringBuilder.ApplicationName = "node");

        var dataSource = services.GetRequiredService<NpgsqlDataSource>();
        var connection = new NpgsqlConnectionStringBuilder(dataSource.ConnectionString);
        Assert.Equal(("db.example", "realtime", "node"), (connection.Host, connection.Database, connection.ApplicationName));
        Assert.NotSame(services.GetRequiredService<NpgsqlConnection>(), services.GetRequiredService<NpgsqlConnection>());
    }

    [Fact]
    public async Task A_missing_connection_string_is_named_when_the_data_source_is_asked_for()
    {
        await using var services = Services(null);
        var exception = Assert.Throws<InvalidOperationException>(services.GetRequiredService<NpgsqlDataSource>);
        Assert.Contains("ConnectionStrings:realtime", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null, "ConnectionStrings:realtime")]
    [InlineData("Host=127.0.0.1;Port=1;Username=me;Timeout=3", "127.0.0.1:1")]
    public async Task The_health_check_says_what_is_wrong(string? connectionString, string reason)
    {
        await using var services = Services(connectionString);
        var report = await services.GetRequiredService<HealthCheckService>().CheckHealthAsync();
        var entry = report.Entries["PostgreSql"];
        Assert.Equal(HealthStatus.Unhealthy, entry.Status);
        Assert.Contains(reason, entry.Description, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Its_spans_are_collected()
    {
        await using var services = Services(null);
        services.GetRequiredService<TracerProvider>();
        using var source = new ActivitySource("Npgsql");
        Assert.True(source.HasListeners());
    }

    [Fact]
    public async Task Each_part_can_be_switched_off()
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.AddNpgsqlDataSource("realtime", settings => (settings.DisableHealthChecks, settings.DisableTracing, settings.DisableMetrics) = (true, true, true));
        await using var services = builder.Services.BuildServiceProvider();
        Assert.Null(services.GetService<HealthCheckService>());
        Assert.Null(services.GetService<TracerProvider>());
    }

    private static ServiceProvider Services(string? connectionString, Action<NpgsqlDataSourceBuilder>? configure = null)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Configuration["ConnectionStrings:realtime"] = connectionString;
        builder.AddNpgsqlDataSource("realtime", configureDataSourceBuilder: configure);
        return builder.Services.BuildServiceProvider();
    }
}
