using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Features.Chat.Files;

/// <summary>Contents as files in a folder that all nodes share. A file is there as a whole or not at all.</summary>
/// <param name="folder">Where; it is made where it is not there yet.</param>
internal sealed class FolderFileStore(string folder) : IFileStore
{
    public async Task SaveAsync(string tenant, string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        var path = PathOf(tenant, name);
        var unfinished = $"{path}.{Guid.NewGuid():n}";
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            await using (var file = new FileStream(unfinished, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, Options = FileOptions.Asynchronous }))
            {
                await file.WriteAsync(content, cancellationToken);
                file.Flush(flushToDisk: true);
            }

            File.Move(unfinished, path, overwrite: true);
        }
        catch (Exception exception)
        {
            File.Delete(unfinished);
            throw exception is IOException or UnauthorizedAccessException ? Unavailable(exception) : exception;
        }
    }

    public async Task<byte[]?> FindAsync(string tenant, string name, CancellationToken cancellationToken)
    {
        try
        {
            return await File.ReadAllBytesAsync(PathOf(tenant, name), cancellationToken);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Unavailable(exception);
        }
    }

    public Task DeleteAsync(string tenant, string name, CancellationToken cancellationToken)
    {
        try
        {
            File.Delete(PathOf(tenant, name));
            return Task.CompletedTask;
        }
        catch (DirectoryNotFoundException)
        {
            return Task.CompletedTask;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Unavailable(exception);
        }
    }

    private static RealtimeException Unavailable(Exception exception) => new(ErrorCode.LogUnavailable, "The files cannot be reached; try again.", exception);

    // A tenant may be called "..": never a folder of that name.
    private string PathOf(string tenant, string name) => Path.Combine(folder, $"t-{tenant}", name[..2], name);
}
