using RealtimeAspire.Server.Features.Chat.Files;
using RealtimeAspire.Tests.Specifications;

namespace RealtimeAspire.Tests.Server.Chat;

public sealed class FolderFileStoreTests : FileStoreSpecification, IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("realtime-files-").FullName;

    private protected override IFileStore Store => new FolderFileStore(Path.Combine(_folder, "files"));

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
