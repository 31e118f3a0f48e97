using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>How people come into a room and leave it on its page, and what its moderators see and do there.</summary>
[Collection(PageTopology.Name)]
public sealed class ModerationPageScenarios(Topology topology, Browser browser)
{
    /// <summary>More than a page of mutes has.</summary>
    private const int Many = 52;

    /// <summary>More than a page of messages has.</summary>
    private const int Meanwhile = 60;

    private readonly string _owner = WebPages.NewName("ada");
    private readonly string _joe = WebPages.NewName("joe");
    private readonly string _room = WebPages.NewName("court");

    [Fact]
    public async Task Moderators_see_who_is_muted_page_by_page_and_let_somebody_write_again()
    {
        using var http = await MakeAsync("public");
        var muted = Enumerable.Range(10, Many - 1).Select(i => $"a-troll-{i}").Append(_joe).ToArray();
        foreach (var user in muted)
        {
            using var done = await http.PutAsJsonAsync($"/rooms/{_room}/mutes/{user}", new { seconds = 86_400 }, Topology.Cancelled);
            done.EnsureSuccessStatusCode();
        }

        await topology.IsMutedEverywhereAsync(_room, _joe);
        var (joe, _) = await browser.EnterAsync(topology, _joe, _room, isPhone: true);
        await joe.SayAsync("let me speak");
        await Expect(joe.Locator("[data-testid=message][data-state=failed]")).ToHaveCountAsync(1);
        await joe.GetByTestId("people").ClickAsync();
        await Expect(PersonOf(joe, _joe)).ToBeVisibleAsync();
        await Expect(joe.GetByTestId("mutes")).ToBeHiddenAsync();
        await joe.GetByTestId("side-close").ClickAsync();

        var (ada, complaints) = await browser.EnterAsync(topology, _owner, _room);
        await ada.GetByTestId("people").ClickAsync();
        await Expect(ada.GetByTestId("mute")).ToHaveCountAsync(50);
        await Expect(ada.GetByTestId("mute").First).ToContainTextAsync($"by {_owner}");
        await ada.ShotAsync("mutes-desktop");
        // The first that it brings has the focus, for who goes on by keyboard.
        await ada.GetByTestId("more-mutes").ClickAsync();
        await Expect(ada.GetByTestId("mute")).ToHaveCountAsync(Many);
        await Expect(ada.GetByTestId("more-mutes")).ToBeHiddenAsync();
        await Expect(ada.GetByTestId("mute").Nth(50).GetByRole(AriaRole.Button)).ToBeFocusedAsync();
        await Expect(PersonOf(ada, _joe)).ToContainTextAsync("muted until");

        await ada.GetByRole(AriaRole.Button, new() { Name = $"Unmute {_joe}" }).ClickAsync();
        await Expect(ada.GetByTestId("room-said")).ToHaveTextAsync($"{_joe} may write.");
        await Expect(ada.GetByTestId("mute")).ToHaveCountAsync(Many - 1);
        await Expect(ada.GetByTestId("mute").Last.GetByRole(AriaRole.Button)).ToBeFocusedAsync();
        await Expect(PersonOf(ada, _joe)).Not.ToContainTextAsync("muted until");
        await ada.GetByRole(AriaRole.Button, new() { Name = $"More about {_joe}" }).ClickAsync();
        await Expect(ada.GetByRole(AriaRole.Menuitem, new() { Name = "Let write again" })).ToHaveCountAsync(0);
        await ada.Keyboard.PressAsync("Escape");
        await topology.IsMutedEverywhereAsync(_room, _joe, isMuted: false);
        await joe.GetByRole(AriaRole.Button, new() { Name = "Try again" }).ClickAsync();
        await Expect(ada.Message("let me speak")).ToBeVisibleAsync();

        // Muted from the panel, he is in its list at once.
        await ada.GetByRole(AriaRole.Button, new() { Name = $"More about {_joe}" }).ClickAsync();
        await ada.GetByRole(AriaRole.Menuitem, new() { Name = "Mute" }).ClickAsync();
        await ada.GetByTestId("dialog-act").ClickAsync();
        await Expect(ada.GetByTestId("mute")).ToHaveCountAsync(Many);
        await Expect(PersonOf(ada, _joe)).ToContainTextAsync("muted until");

        // What is over is gone without a word from anybody.
        using (var done = await http.PutAsJsonAsync($"/rooms/{_room}/mutes/{muted[0]}", new { seconds = 5 }, Topology.Cancelled))
        {
            done.EnsureSuccessStatusCode();
        }

        await ada.GetByTestId("people").ClickAsync();
        await Expect(ada.GetByTestId("mute").Filter(new() { HasText = muted[0] })).ToHaveCountAsync(1);
        await Expect(ada.GetByTestId("mute").Filter(new() { HasText = muted[0] })).ToHaveCountAsync(0);

        var (phone, _) = await browser.EnterAsync(topology, _owner, _room, isPhone: true);
        await phone.GetByTestId("people").ClickAsync();
        await Expect(phone.GetByTestId("mute").First).ToBeVisibleAsync();
        await phone.ShotAsync("mutes-phone");
        Assert.Empty(complaints);
    }

    [Fact]
    public async Task Who_is_removed_or_banned_is_out_at_once_and_sees_why_and_may_come_back_when_he_is_let_in()
    {
        using var http = await MakeAsync("private", _joe);
        var (ada, complaints) = await browser.EnterAsync(topology, _owner, _room);
        var (joe, _) = await browser.EnterAsync(topology, _joe, _room, isPhone: true);
        await ada.SayAsync("welcome");
        await Expect(joe.Message("welcome")).ToBeVisibleAsync();
        await ada.GetByTestId("people").ClickAsync();
        await ChooseAsync(ada, "Remove from this room");
        await ada.ShotAsync("kick-desktop");
        await ada.GetByTestId("dialog-act").ClickAsync();
        await joe.IsOutAsync();
        await joe.ShotAsync("kicked-phone");
        await Expect(ada.GetByTestId("person")).ToHaveCountAsync(1);
        await ada.SayAsync("not for him");
        await Expect(ada.Stored()).ToHaveCountAsync(2);
        await Expect(joe.GetByText("not for him")).ToHaveCountAsync(0);
        await using var owner = await topology.ConnectAsync(_owner);
        for (var i = 1; i <= Meanwhile; i++)
        {
            await owner.PublishAsync($"room:{_room}", "chat:message", new { text = $"meanwhile {i}" }, cancellationToken: Topology.Cancelled);
        }

        // Added again, he is there without having to load the page, and nothing that was said is missing.
        await ada.RoomItemAsync("Add somebody");
        await ada.GetByTestId("field-user").FillAsync(_joe);
        await ada.GetByTestId("dialog-act").ClickAsync();
        await joe.BecomesAsync("connected");
        await ada.SayAsync("here you are");
        await Expect(joe.Message("here you are")).ToBeVisibleAsync();
        await Expect(joe.Stored()).ToHaveCountAsync(Meanwhile + 3);

        await ChooseAsync(ada, "Ban from this room");
        await ada.GetByTestId("dialog-act").ClickAsync();
        await joe.IsOutAsync();
        await Expect(PersonOf(ada, _joe)).ToContainTextAsync("banned");
        await ada.ShotAsync("banned-desktop");
        await ChooseAsync(ada, "Let in again");
        await Expect(ada.GetByTestId("room-said")).ToHaveTextAsync($"{_joe} may come in again.");
        await Expect(PersonOf(ada, _joe)).ToHaveCountAsync(0);
        Assert.Empty(complaints);
    }

    [Fact]
    public async Task An_answer_that_is_refused_after_its_thread_was_closed_is_there_when_it_is_opened_again()
    {
        using var http = await MakeAsync("public");
        await using var network = TcpProxy.Start(topology.Api.Port);
        var (joe, _) = await browser.OpenAsync(isFree: true);
        await joe.SignInAsync(topology, _joe);
        await joe.GoThroughAsync(network);
        await joe.OpenRoomAsync(topology, _room);
        await joe.SayAsync("a question");
        await Expect(joe.Stored()).ToHaveCountAsync(1);
        await joe.ToolAsync("a question", "Open its thread");
        await Expect(joe.GetByTestId("thread").GetByTestId("message-text")).ToHaveTextAsync(["a question"]);

        network.BeginRefusing();
        network.Cut();
        await joe.BecomesAsync("reconnecting");
        await joe.GetByTestId("thread-composer").FillAsync("an answer");
        await joe.GetByTestId("thread-composer").PressAsync("Enter");
        await joe.GetByTestId("side-close").ClickAsync();
        using (var muted = await http.PutAsJsonAsync($"/rooms/{_room}/mutes/{_joe}", new { seconds = 86_400 }, Topology.Cancelled))
        {
            muted.EnsureSuccessStatusCode();
        }

        await topology.IsMutedEverywhereAsync(_room, _joe);
        network.EndRefusing();
        await joe.BecomesAsync("connected");
        await Eventually.BecomesTrueAsync(
            async () => await joe.EvaluateAsync<bool>("() => Object.keys(sessionStorage).some(key => key.startsWith('realtime.failed'))"), "what was refused is not kept");
        using (var unmuted = await http.DeleteAsync(new Uri($"/rooms/{_room}/mutes/{_joe}", UriKind.Relative), Topology.Cancelled))
        {
            unmuted.EnsureSuccessStatusCode();
        }

        await topology.IsMutedEverywhereAsync(_room, _joe, isMuted: false);
        await joe.ToolAsync("a question", "Open its thread");
        var failed = joe.GetByTestId("thread").Locator("[data-testid=message][data-state=failed]");
        await Expect(failed).ToContainTextAsync("an answer");
        await failed.GetByRole(AriaRole.Button, new() { Name = "Try again" }).ClickAsync();
        await Expect(failed).ToHaveCountAsync(0);
        await Expect(joe.GetByTestId("replies")).ToHaveTextAsync("1 reply");
    }

    [Fact]
    public async Task In_a_slow_room_a_message_waits_its_turn_and_its_moderators_do_not()
    {
        const int Seconds = 5;
        using var http = await MakeAsync("public");
        var (ada, complaints) = await browser.EnterAsync(topology, _owner, _room);
        await ada.RoomItemAsync("Edit this room");
        await ada.GetByTestId("field-slow").SelectOptionAsync($"{Seconds}");
        await ada.ShotAsync("slow-desktop");
        await ada.GetByTestId("dialog-act").ClickAsync();
        await Expect(ada.GetByTestId("dialog")).ToHaveCountAsync(0);
        Assert.Equal(Seconds, (await http.GetFromJsonAsync<JsonElement>($"/rooms/{_room}", Topology.Cancelled)).GetProperty("slowSeconds").GetInt32());
        // A node that knows of this knows what was said before it.
        using (var muted = await http.PutAsJsonAsync($"/rooms/{_room}/mutes/somebody", new { seconds = 86_400 }, Topology.Cancelled))
        {
            muted.EnsureSuccessStatusCode();
        }

        await topology.IsMutedEverywhereAsync(_room, "somebody");
        var (joe, _) = await browser.EnterAsync(topology, _joe, _room, isPhone: true);
        await joe.SayAsync("one");
        await Expect(joe.Stored()).ToHaveCountAsync(1);
        await joe.SayAsync("two");
        await joe.ShotAsync("slow-phone");
        foreach (var text in (string[])["three", "four"])
        {
            await ada.SayAsync(text);
        }

        await Expect(ada.Stored()).ToHaveCountAsync(4);
        await Expect(joe.Stored()).ToHaveCountAsync(4);
        var messages = (await http.GetFromJsonAsync<JsonElement>($"/rooms/{_room}/messages", Topology.Cancelled)).GetProperty("messages").EnumerateArray()
            .ToDictionary(message => message.GetProperty("text").GetString()!, message => message.GetProperty("at").GetDateTimeOffset());
        Assert.True(messages["two"] - messages["one"] >= TimeSpan.FromSeconds(Seconds - 0.5), $"two came {messages["two"] - messages["one"]} after one");
        Assert.True(messages["four"] - messages["three"] < TimeSpan.FromSeconds(Seconds), $"four came {messages["four"] - messages["three"]} after three");
        Assert.Empty(complaints);
    }

    [Fact]
    public async Task A_room_is_joined_and_left_and_its_members_see_it()
    {
        using var http = await MakeAsync("public");
        var (joe, complaints) = await browser.EnterAsync(topology, _joe, _room);
        await joe.RoomItemAsync("Join this room");
        await Expect(joe.GetByTestId("room-said")).ToHaveTextAsync("You are a member of this room now.");
        Assert.Contains(_joe, await MembersAsync(http));
        await joe.GetByTestId("room-menu").ClickAsync();
        await Expect(joe.GetByRole(AriaRole.Menuitem, new() { Name = "Leave this room" })).ToBeVisibleAsync();
        await joe.ShotAsync("leave-menu-desktop");
        await joe.GetByRole(AriaRole.Menuitem, new() { Name = "Leave this room" }).ClickAsync();
        await Expect(joe.GetByTestId("dialog")).ToContainTextAsync("You can join again.");
        await joe.GetByTestId("dialog-act").ClickAsync();
        await Expect(joe.GetByTestId("dialog")).ToHaveCountAsync(0);
        Assert.DoesNotContain(_joe, await MembersAsync(http));
        await joe.GetByTestId("room-menu").ClickAsync();
        await Expect(joe.GetByRole(AriaRole.Menuitem, new() { Name = "Join this room" })).ToBeVisibleAsync();
        await joe.Keyboard.PressAsync("Escape");

        // Of a private one that is left there is nothing to see any more.
        var secret = WebPages.NewName("secret");
        using (var made = await http.PostAsJsonAsync("/rooms", new { title = "Secret", name = secret, kind = "private", members = new[] { _joe } }, Topology.Cancelled))
        {
            made.EnsureSuccessStatusCode();
        }

        var (phone, _) = await browser.EnterAsync(topology, _joe, secret, isPhone: true);
        await phone.RoomItemAsync("Leave this room");
        await Expect(phone.GetByTestId("dialog")).ToContainTextAsync("somebody who adds you");
        await phone.ShotAsync("leave-phone");
        await phone.GetByTestId("dialog-act").ClickAsync();
        await Expect(phone).ToHaveURLAsync(new Uri(topology.Web, "/rooms").ToString());
        await Expect(phone.GetByTestId("room-list")).ToBeVisibleAsync();
        await Expect(phone.Locator($"[data-room='{secret}']")).ToHaveCountAsync(0);
        Assert.Empty(complaints);
    }

    /// <summary>A room of the owner's; what he asks over HTTP is asked with what is returned.</summary>
    private async Task<HttpClient> MakeAsync(string kind, params string[] members)
    {
        var http = await topology.HttpAsync(_owner);
        using var made = await http.PostAsJsonAsync("/rooms", new { title = _room, name = _room, kind, members, showsPast = true }, Topology.Cancelled);
        made.EnsureSuccessStatusCode();
        return http;
    }

    private async Task<IEnumerable<string?>> MembersAsync(HttpClient http) =>
        (await http.GetFromJsonAsync<JsonElement>($"/topics/room:{_room}/members", Topology.Cancelled)).GetProperty("members").EnumerateArray().Select(member => member.GetProperty("user").GetString());

    private async Task ChooseAsync(IPage page, string item)
    {
        await page.GetByRole(AriaRole.Button, new() { Name = $"More about {_joe}" }).ClickAsync();
        await page.GetByRole(AriaRole.Menuitem, new() { Name = item }).ClickAsync();
    }

    private static ILocator PersonOf(IPage page, string user) => page.Locator($"[data-testid=person][data-user='{user}']");
}
