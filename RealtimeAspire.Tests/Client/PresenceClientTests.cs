using System.Text.Json;
using RealtimeAspire.Client;
using RealtimeAspire.Protocol;
using RealtimeAspire.Tests.Server;

namespace RealtimeAspire.Tests.Client;

/// <summary>What the client makes of who is on a topic, who types and where people point, with a server.</summary>
public sealed class PresenceClientTests
{
    private const string Topic = "room:a";

    private static readonly (string, string)[] Quick = [("Realtime:Presence:WindowMs", "20"), ("Realtime:Presence:GraceSeconds", "0.2")];

    [Theory]
    [InlineData(Transport.WebSocket)]
    [InlineData(Transport.Stream)]
    public async Task The_list_is_live_over(Transport transport)
    {
        await using var server = await TestServer.StartAsync(Quick);
        await using var ada = new RealtimeClient(server.Address, new RealtimeClientOptions { Token = _ => Task.FromResult<string?>(TestServer.Token()), Transports = [transport] });
        var presence = new RealtimeAspire.Client.Presence();
        var seen = new List<string>();
        presence.Joined += user => seen.Add($"+{user.User}");
        presence.Updated += user => seen.Add($"{user.User}:{user.Status}");
        presence.Left += user => seen.Add($"-{user}");
        var events = 0;
        await ada.SubscribeAsync(Topic, presence.Options(new SubscribeOptions { OnEvent = _ => { events++; return Task.CompletedTask; } }), Cancelled);
        await Eventually.BecomesTrueAsync(() => presence.Users.Any(user => user.User == "ada"), "ada is not there.");

        var bob = await server.ConnectAsync(() => TestServer.Token("bob"));
        await bob.SubscribeAsync(Topic, cancellationToken: Cancelled);
        await bob.SetPresenceAsync(new PresenceRequest { Status = "dnd", Data = JsonElement.Parse("""{"at":1}""") }, Cancelled);
        await Eventually.BecomesTrueAsync(() => presence.Users.Any(user => user is { User: "bob", Status: PresenceStatus.DoNotDisturb }), "bob is not there.");
        var page = await ada.ListPresenceAsync(new PresencePageRequest { Topic = Topic, After = "ada", Limit = 1 }, Cancelled);
        await bob.DisposeAsync();
        await Eventually.BecomesTrueAsync(() => presence.Users.Count == 1, "bob is still there.");

        Assert.Equal((true, "bob", true), (page.Complete, page.Members[0].User, page.Members[0].Connections[0].Data is not null));
        Assert.Equal((new Occupancy(1, 1), true, 0), (presence.Occupancy, presence.IsComplete, events));
        Assert.Equal(["+ada", "+bob", "-bob"], seen.Where(one => one[0] is '+' or '-'));
    }

    [Fact]
    public async Task What_is_said_of_a_connection_is_said_again_by_the_next()
    {
        await using var server = await TestServer.StartAsync(Quick);
        await using var ada = await server.ConnectAsync();
        await ada.SetPresenceAsync(new PresenceRequest { Active = false, Topic = Topic, Data = JsonElement.Parse("""{"at":1}""") }, Cancelled);
        var presence = new RealtimeAspire.Client.Presence();
        await ada.SubscribeAsync(Topic, presence.Options(), Cancelled);
        bool IsSaid() => presence.Users is [{ Status: PresenceStatus.Away, Connections: [{ Data: not null }] }];
        await Eventually.BecomesTrueAsync(IsSaid, "It is not said.");

        ada.Disconnect();
        await Eventually.BecomesTrueAsync(async () => await CountAsync(server) == 0, "ada is still there.");
        await ada.ConnectAsync(Cancelled);
        await Eventually.BecomesTrueAsync(async () => await CountAsync(server) == 1 && IsSaid(), "It is not said again.");
    }

    [Fact]
    public async Task Who_types_is_in_the_set_until_he_stops_or_his_time_is_over()
    {
        await using var server = await TestServer.StartAsync(Quick);
        await using var ada = await server.ConnectAsync();
        await using var bob = await server.ConnectAsync(() => TestServer.Token("bob"));
        var time = new StoppedTime();
        using var seen = new TypingUsers(ada, Topic, time: time);
        using var own = new TypingUsers(bob, Topic);
        await ada.SubscribeAsync(Topic, new SubscribeOptions { OnEvent = told => { seen.Receive(told); return Task.CompletedTask; } }, Cancelled);

        own.Typed();
        own.Typed();
        await Eventually.BecomesTrueAsync(() => seen.Users is ["bob"], "bob does not type.");
        own.Stopped();
        await Eventually.BecomesTrueAsync(() => seen.Users.Count == 0, "bob has not stopped.");
        own.Typed();
        await Eventually.BecomesTrueAsync(() => seen.Users is ["bob"], "bob does not type.");
        time.GoOn(TypingUsers.Lasts);
        Assert.Empty(seen.Users);
        own.Stopped();
        own.Typed();
        await Eventually.BecomesTrueAsync(() => seen.Users is ["bob"], "bob does not type.");
        await bob.PublishAsync(Topic, "app:note", 1, cancellationToken: Cancelled);
        await Eventually.BecomesTrueAsync(() => seen.Users.Count == 0, "bob has published, and types.");
    }

    [Fact]
    public async Task Of_a_pointer_that_moves_the_newest_place_arrives()
    {
        await using var server = await TestServer.StartAsync(Quick);
        await using var ada = await server.ConnectAsync();
        await using var bob = await server.ConnectAsync(() => TestServer.Token("bob"));
        var presence = new RealtimeAspire.Client.Presence();
        using var seen = new Cursors(ada, Topic, presence);
        using var own = new Cursors(bob, Topic);
        var moves = 0;
        await bob.SubscribeAsync(Topic, cancellationToken: Cancelled);
        await ada.SubscribeAsync(Topic, presence.Options(new SubscribeOptions { OnEvent = told => { moves += seen.Receive(told) ? 1 : 0; return Task.CompletedTask; } }), Cancelled);

        for (var i = 0; i <= 1_000; i++)
        {
            own.Move(new Cursor(i, 2 * i, Colour: "#08f"));
        }

        await Eventually.BecomesTrueAsync(() => seen.All.GetValueOrDefault("bob") == new Cursor(1_000, 2_000, Colour: "#08f"), "It does not arrive.");
        Assert.InRange(moves, 1, 500);
        await bob.DisposeAsync();
        await Eventually.BecomesTrueAsync(() => seen.All.Count == 0, "It is still there.");
    }

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    private static async Task<int> CountAsync(TestServer server)
    {
        await using var watcher = await server.ConnectAsync(() => TestServer.Token("watcher"));
        return (await watcher.ListPresenceAsync(new PresencePageRequest { Topic = Topic }, Cancelled)).Occupancy.Users;
    }
}
