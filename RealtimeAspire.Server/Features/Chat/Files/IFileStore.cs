using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Features.Chat.Files;

/// <summary>Keeps the contents of files, each under a name that is given once. Every implementation passes <c>FileStoreSpecification</c>.</summary>
internal interface IFileStore
{
    /// <summary>Keeps a content. The same once more changes nothing.</summary>
    /// <param name="tenant">Whose it is.</param>
    /// <param name="name">Letters, digits and -.</param>
    /// <param name="content">All of it.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    Task SaveAsync(string tenant, string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken);

    /// <summary>Null: there is none of this name.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    Task<byte[]?> FindAsync(string tenant, string name, CancellationToken cancellationToken);

    /// <summary>What is not there is gone already.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    Task DeleteAsync(string tenant, string name, CancellationToken cancellationToken);
}
