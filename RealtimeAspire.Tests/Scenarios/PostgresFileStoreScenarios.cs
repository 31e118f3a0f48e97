using RealtimeAspire.Server.Features.Chat;
using RealtimeAspire.Server.Features.Chat.Files;
using RealtimeAspire.Server.Storage;
using RealtimeAspire.Tests.Specifications;

namespace RealtimeAspire.Tests.Scenarios;

[Collection(SharedTopology.Name)]
public sealed class PostgresFileStoreScenarios(PostgresFileStoreScenarios.Stored stored) : FileStoreSpecification, IClassFixture<PostgresFileStoreScenarios.Stored>
{
    private protected override IFileStore Store => new PostgresFileStore(new Database(stored.Database.DataSource));

    public sealed class Stored(Topology topology) : IAsyncLifetime
    {
        public PostgresDatabase Database { get; private set; } = null!;

        public async ValueTask InitializeAsync() => Database = await PostgresDatabase.CreateAsync(topology);

        public ValueTask DisposeAsync() => Database.DisposeAsync();
    }
}
