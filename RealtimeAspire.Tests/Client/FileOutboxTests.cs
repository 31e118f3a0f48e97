using System.Text.Json;
using RealtimeAspire.Client.Stores;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Tests.Client;

public sealed class FileOutboxTests : IDisposable
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("realtime-outbox-");

    public void Dispose() => _directory.Delete(recursive: true);

    [Fact]
    public void What_has_no_outcome_is_there_for_the_next_in_order()
    {
        using (var first = Open(out _))
        {
            var items = Enumerable.Range(0, 4).Select(i => Item(i)).ToArray();
            Array.ForEach(items, first.Put);
            first.Delete(items[1]);
        }

        using var second = Open(out var taken);

        Assert.Equal(["0", "2", "3"], taken.Select(item => item.Request.Id));
        Assert.Equal(("room:a", "app:note", 2, Noon.AddSeconds(2)), (taken[1].Request.Topic, taken[1].Request.Event, taken[1].Request.Payload.GetInt32(), taken[1].At));
    }

    [Fact]
    public void What_was_taken_over_is_the_next_one_s_until_it_has_its_outcome()
    {
        using (var first = Open(out _))
        {
            first.Put(Item(1));
            first.Put(Item(2));
        }

        using (var second = Open(out var taken))
        {
            second.Delete(taken[0]);
        }

        using var third = Open(out var left);

        Assert.Equal(["2"], left.Select(item => item.Request.Id));
    }

    [Fact]
    public void Nobody_takes_what_has_an_owner()
    {
        using var first = Open(out _);
        first.Put(Item(1));

        using var second = Open(out var taken);

        Assert.Empty(taken);
    }

    [Fact]
    public async Task One_that_runs_takes_over_from_one_that_has_gone()
    {
        var first = Open(out _);
        first.Put(Item(1));
        using var second = new FileOutbox(_directory.FullName, new FastTime());
        var taken = new List<OutboxItem>();
        second.Open(items =>
        {
            lock (taken)
            {
                taken.AddRange(items);
            }
        });
        Assert.Empty(taken);

        first.Dispose();

        await Eventually.BecomesTrueAsync(
            () =>
            {
                lock (taken)
                {
                    return taken.Count == 1;
                }
            },
            "nobody has taken over");
    }

    [Fact]
    public void What_the_end_of_a_process_has_cut_is_left_out()
    {
        using (var first = Open(out _))
        {
            first.Put(Item(1));
            first.Put(Item(2));
        }

        var file = Assert.Single(_directory.GetFiles());
        for (var length = file.Length - 2; length > file.Length - 20; length--)
        {
            using (var cut = file.OpenWrite())
            {
                cut.SetLength(length);
            }

            using var copy = Copied(file);
            using var second = Open(copy.FullName, out var taken);
            Assert.Equal(["1"], taken.Select(item => item.Request.Id));
        }
    }

    [Fact]
    public void A_file_does_not_grow_with_what_has_gone_through()
    {
        using var outbox = Open(out _);
        var waiting = Item(-1);
        outbox.Put(waiting);
        for (var i = 0; i < 25_000; i++)
        {
            var item = Item(i);
            outbox.Put(item);
            outbox.Delete(item);
        }

        Assert.InRange(Assert.Single(_directory.GetFiles()).Length, 1, 3_000_000);
        outbox.Delete(waiting);
        Assert.Equal(0, Assert.Single(_directory.GetFiles()).Length);
    }

    [Fact]
    public void Where_nothing_waits_nothing_is_left()
    {
        Open(out _).Dispose();

        Assert.Empty(_directory.GetFiles());
    }

    private static OutboxItem Item(int i) => new(
        new PublishRequest { Topic = "room:a", Event = "app:note", Payload = JsonSerializer.SerializeToElement(i), Id = $"{i}" }, Noon.AddSeconds(i));

    private FileOutbox Open(out List<OutboxItem> taken) => Open(_directory.FullName, out taken);

    private static FileOutbox Open(string directory, out List<OutboxItem> taken)
    {
        var outbox = new FileOutbox(directory);
        var items = taken = [];
        outbox.Open(items.AddRange);
        return outbox;
    }

    private static TemporaryDirectory Copied(FileInfo file)
    {
        var copy = new TemporaryDirectory();
        file.CopyTo(Path.Combine(copy.FullName, file.Name));
        return copy;
    }

    private sealed class TemporaryDirectory : IDisposable
    {
        public string FullName { get; } = Directory.CreateTempSubdirectory("realtime-outbox-").FullName;

        public void Dispose() => Directory.Delete(FullName, recursive: true);
    }
}
