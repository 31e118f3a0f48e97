using RealtimeAspire.Server.Features.Chat.Files;

namespace RealtimeAspire.Tests.Specifications;

/// <summary>What every place for the contents of files does.</summary>
public abstract class FileStoreSpecification
{
    private static readonly byte[] Content = [.. Enumerable.Range(0, 100_000).Select(i => (byte)(i * 7))];

    private protected abstract IFileStore Store { get; }

    private protected static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_content_is_as_it_was_saved_until_it_is_deleted()
    {
        var name = NewName();
        Assert.Null(await Store.FindAsync("acme", name, Cancelled));

        await Store.SaveAsync("acme", name, Content, Cancelled);
        await Store.SaveAsync("acme", name, Content, Cancelled);
        Assert.Equal(Content, await Store.FindAsync("acme", name, Cancelled));

        await Store.DeleteAsync("acme", name, Cancelled);
        await Store.DeleteAsync("acme", name, Cancelled);
        Assert.Null(await Store.FindAsync("acme", name, Cancelled));
    }

    [Fact]
    public async Task Each_tenant_has_its_own()
    {
        var name = NewName();
        await Store.SaveAsync("acme", name, Content, Cancelled);
        await Store.SaveAsync("..", name, new byte[] { 1 }, Cancelled);

        await Store.DeleteAsync("..", name, Cancelled);

        Assert.Equal(Content, await Store.FindAsync("acme", name, Cancelled));
        Assert.Null(await Store.FindAsync("..", name, Cancelled));
    }

    [Fact]
    public async Task Whoever_reads_while_it_is_saved_has_all_of_it_or_nothing()
    {
        var name = NewName();
        var saved = Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Store.SaveAsync("acme", name, Content, Cancelled)));
        do
        {
            if (await Store.FindAsync("acme", name, Cancelled) is { } read)
                Assert.Equal(Content, read);
        }
        while (!saved.IsCompleted);

        await saved;
        Assert.Equal(Content, await Store.FindAsync("acme", name, Cancelled));
    }

    private static string NewName() => $"{Guid.NewGuid():n}";
}
