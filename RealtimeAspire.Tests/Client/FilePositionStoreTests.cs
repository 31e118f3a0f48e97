using RealtimeAspire.Client.Stores;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Tests.Client;

public sealed class FilePositionStoreTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("realtime-positions-");

    private string Path => System.IO.Path.Combine(_directory.FullName, "below", "positions.json");

    public void Dispose() => _directory.Delete(recursive: true);

    [Fact]
    public async Task A_position_is_there_for_the_next_run()
    {
        await using (var first = new FilePositionStore(Path))
        {
            Assert.Null(await first.LoadAsync("room:a", TestContext.Current.CancellationToken));
            await first.SaveAsync("room:a", new Position("x7Qa", 3));
            await first.SaveAsync("room:a", new Position("x7Qa", 4));
            await first.SaveAsync("room:b", Position.Origin);
        }

        await using var second = new FilePositionStore(Path);

        Assert.Equal(new Position("x7Qa", 4), await second.LoadAsync("room:a", TestContext.Current.CancellationToken));
        Assert.Equal(Position.Origin, await second.LoadAsync("room:b", TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task It_is_written_in_a_moment_also_without_an_end()
    {
        await using var first = new FilePositionStore(Path);
        await first.SaveAsync("room:a", new Position("x7Qa", 3));

        await Eventually.BecomesTrueAsync(() => File.Exists(Path) && File.ReadAllText(Path).Contains("x7Qa:3", StringComparison.Ordinal), "it is not written");
    }
}
