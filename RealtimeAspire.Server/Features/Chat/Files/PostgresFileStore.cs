using RealtimeAspire.Server.Storage;

namespace RealtimeAspire.Server.Features.Chat.Files;

/// <summary>Contents in PostgreSQL.</summary>
internal sealed class PostgresFileStore(Database database) : IFileStore
{
    public Task SaveAsync(string tenant, string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) => database.RunAsync(
        "insert into realtime.chat_contents (tenant, content_id, content) values ($1, $2, $3) on conflict do nothing", cancellationToken, tenant, name, content.ToArray());

    public async Task<byte[]?> FindAsync(string tenant, string name, CancellationToken cancellationToken) =>
        await database.ReadAsync(
            "select content from realtime.chat_contents where tenant = $1 and content_id = $2", static reader => reader.GetFieldValue<byte[]>(0), cancellationToken, tenant, name) is [var content]
            ? content
            : null;

    public Task DeleteAsync(string tenant, string name, CancellationToken cancellationToken) =>
        database.RunAsync("delete from realtime.chat_contents where tenant = $1 and content_id = $2", cancellationToken, tenant, name);
}
