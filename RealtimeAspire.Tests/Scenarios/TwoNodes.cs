namespace RealtimeAspire.Tests.Scenarios;

/// <summary>Two nodes over one database.</summary>
public sealed class TwoNodes(Topology topology) : IAsyncLifetime
{
    public PostgresDatabase Database { get; private set; } = null!;

    internal TenantNode First { get; private set; } = null!;

    internal TenantNode Second { get; private set; } = null!;

    internal TenantNode[] Both => [First, Second];

    public async ValueTask InitializeAsync()
    {
        Database = await PostgresDatabase.CreateAsync(topology);
        First = await TenantNode.StartAsync(Database);
        Second = await TenantNode.StartAsync(Database);
    }

    public async ValueTask DisposeAsync()
    {
        await Second.DisposeAsync();
        await First.DisposeAsync();
        await Database.DisposeAsync();
    }
}
